"""A database is read by its connection's id; its password reaches the driver and nobody else."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from stages import FakeProject, batch, context

from tidegate.contract import JdbcRead, StageSpec, password_key
from tidegate.errors import SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store

PASSWORD = "s0rely-kept"
SHOP = {
    "conn_type": "postgres",
    "host": "db.shop",
    "port": 5433,
    "schema": "sales",
    "login": "reader",
    "password": PASSWORD,
}
READS = {"x": {"jdbc": "shop", "table": "public.orders"}}


def connect(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({**SHOP, **changes}))


def ran(project: FakeProject, **overrides: Any) -> Path:
    task = batch(project, **{"reads": READS, **overrides})
    at = context(task)
    task.execute(at)
    return reports_store().files(this_attempt(at)).folder


def read_of(folder: Path) -> JdbcRead:
    (read,) = StageSpec.from_json((folder / "spec.json").read_text()).reads
    assert isinstance(read, JdbcRead)
    return read


def test_the_password_reaches_the_driver_and_nobody_else(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch)
    project.submit_will(outcome="published", prints=[f"spark says {PASSWORD}"])
    with caplog.at_level(logging.DEBUG):
        folder = ran(project)
    given = json.loads((folder / "spec.seen.json").read_text())
    assert given["conf"] == {password_key("shop"): PASSWORD}
    left = {file.name for file in folder.iterdir() if PASSWORD in file.read_text()}
    # Both are the fake's own: what the driver was given, and the environment that this worker has
    # the connection in.
    assert left == {"spec.seen.json", "environment.json"}
    environment = json.loads((folder / "environment.json").read_text())
    assert [key for key, value in environment.items() if PASSWORD in value] == ["AIRFLOW_CONN_SHOP"]
    assert PASSWORD not in caplog.text
    read = read_of(folder)
    assert (read.url, read.user) == ("jdbc:postgresql://db.shop:5433/sales", "reader")
    assert read.driver == "org.postgresql.Driver"


@pytest.mark.parametrize(
    ("connection", "url", "driver"),
    [
        ({"conn_type": "mysql", "port": None}, "jdbc:mysql://db.shop/sales", ""),
        ({"conn_type": "mssql"}, "jdbc:sqlserver://db.shop:5433;databaseName=sales", ""),
        (
            {
                "conn_type": "jdbc",
                "host": "jdbc:oracle:thin:@//ora:1521/s",
                "extra": json.dumps({"driver_class": "oracle.jdbc.OracleDriver"}),
            },
            "jdbc:oracle:thin:@//ora:1521/s",
            "oracle.jdbc.OracleDriver",
        ),
    ],
)
def test_an_address_is_made_of_the_connection(
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    connection: dict[str, Any],
    url: str,
    driver: str,
) -> None:
    connect(monkeypatch, **connection)
    read = read_of(ran(project))
    assert (read.url, read.driver) == (url, driver)


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (None, "reads.'x'.: there is no Airflow connection 'shop': airflow connections add"),
        ({"conn_type": "http"}, "is of type 'http'; of type .* make it of type 'jdbc'"),
        (
            {"conn_type": "jdbc", "host": f"jdbc:h2:mem:x;password={PASSWORD}"},
            "has a secret in its address; give it as the connection's password",
        ),
    ],
)
def test_a_connection_that_cannot_serve_is_a_clear_error(
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    connection: dict[str, Any] | None,
    said: str,
) -> None:
    if connection is not None:
        connect(monkeypatch, **connection)
    with pytest.raises(SpecError, match=said) as told:
        ran(project)
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"jdbc": "shop"}, "one of 'table' and 'query'"),
        ({"jdbc": "shop", "table": "t", "query": "SELECT 1"}, "one of 'table' and 'query'"),
        ({"jdbc": "shop", "table": ""}, "is text"),
        ({"jdbc": "shop", "table": "t", "partitions": 4}, "go together"),
        ({"jdbc": "shop", "table": "t", "bounds": [1, 2]}, "go together"),
        (
            {"jdbc": "shop", "table": "t", "partition_column": "n", "bounds": [1], "partitions": 2},
            "go together",
        ),
        ({"jdbc": "shop", "table": "t", "options": {"Password": "x"}}, "own to set"),
        ({"jdbc": "shop", "table": "t", "options": {"dbtable": "x"}}, "own to set"),
        ({"jdbc": "shop", "table": "t", "format": "csv"}, r"unknown \['format'\]"),
        ({"jdbc": "shop", "table": "t", "url": "jdbc:x://a;password=abcd"}, "has a secret"),
        ({"jdbc": 3, "table": "t"}, "'jdbc' is text"),
    ],
)
def test_a_read_that_cannot_be_is_refused_at_parse(
    project: FakeProject, read: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        batch(project, reads={"x": read})
