"""What secures the way to a Kafka broker comes from a connection, and stands nowhere to be read."""

import json
from pathlib import Path
from typing import Any

import pytest
from stages import FakeProject, context, given
from test_streams import make

from tidegate.contract import KafkaRead
from tidegate.contract.feeds import SECURED
from tidegate.errors import SpecError
from tidegate.operators.kafka import java_settings

EVENTS = {"kafka": "events", "conn_id": "broker", "schema": "id INT"}
SASL = {
    "bootstrap.servers": "b1:9093,b2:9093",
    "security.protocol": "SASL_SSL",
    "sasl.mechanisms": "SCRAM-SHA-512",
    "sasl.username": "reader",
    "sasl.password": 'hunter2"x',
    "ssl.ca.location": "certs/ca.pem",
    "group.id": "not ours to hand on",
}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"conn_type": "kafka", "extra": SASL}
    monkeypatch.setenv("AIRFLOW_CONN_BROKER", json.dumps(told))


def test_a_connection_becomes_the_options_of_javas_client() -> None:
    settings = java_settings("broker", SASL)
    assert settings == {
        "bootstrap.servers": "b1:9093,b2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "ssl.truststore.location": "certs/ca.pem",
        "ssl.truststore.type": "PEM",
        "sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            'username="reader" password="hunter2\\"x";'
        ),
    }
    with pytest.raises(SpecError, match="takes no user"):
        java_settings("broker", {**SASL, "sasl.mechanisms": "GSSAPI"})


def test_secrets_reach_the_source_and_nothing_that_is_kept(
    project: FakeProject, connection: None
) -> None:
    made = make(project, reads={"x": EVENTS})
    around = context(made)
    made.execute(around)
    folder = Path(made._run._files.folder)
    seen = given(made, around)
    (read,) = seen.reads
    assert isinstance(read, KafkaRead)
    assert read.servers == "b1:9093,b2:9093"
    assert read.options["kafka.security.protocol"] == "SASL_SSL"
    for file in folder.iterdir():
        if file.name not in ("spec.seen.json", "environment.json"):  # the fake's own notes
            assert "hunter2" not in file.read_text(), file.name
    given_to_driver = type(seen).from_json((folder / "spec.seen.json").read_text())
    assert 'password="hunter2' in given_to_driver.conf[f"{SECURED}x.kafka.sasl.jaas.config"]
    assert "hunter2" not in repr(given_to_driver)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"kafka": "a b", "servers": "s:1"}, "give a topic"),
        ({"kafka": "events"}, "give 'servers'"),
        ({"kafka": "e", "servers": "s:1", "format": "xml"}, "format='xml'"),
        ({"kafka": "e", "servers": "s:1"}, "needs one"),
        ({"kafka": "e", "servers": "s:1", "format": "raw", "schema": "a INT"}, "has none"),
        ({"kafka": "e", "servers": "s:1", "schema": "a INT", "starting": "noon"}, "starting"),
        (
            {
                "kafka": "e",
                "servers": "s:1",
                "schema": "a INT",
                "options": {"kafka.ssl.key.password": "x"},
            },
            "belong into an Airflow connection",
        ),
    ],
)
def test_a_topic_that_cannot_be_read_is_refused_at_parse(
    project: FakeProject, read: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError, match=f"task 't': .*{said}"):
        make(project, reads={"x": read})


def test_a_connection_that_is_not_there_or_says_too_little(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(project, reads={"x": EVENTS})
    with pytest.raises(SpecError, match="no Airflow connection 'broker'"):
        made.execute(context(made))
    monkeypatch.setenv("AIRFLOW_CONN_BROKER", json.dumps({"conn_type": "kafka"}))
    with pytest.raises(SpecError, match=r"names no 'bootstrap\.servers'"):
        made.execute(context(made))
