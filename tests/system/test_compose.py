"""docker-compose.yml keeps to the Compose specification and starts what it says it starts.

There is no container engine where this was written: the file's schema and its references are what
is checked.
"""

import json
import os
import re
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from cryptography.fernet import Fernet
from demo.stream.project import packages
from demo.stream.replay import TOPIC

from tidegate.contract import KafkaRead
from tidegate.operators.kafka import served

pytestmark = pytest.mark.system

FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
MOUNTED = ("dags", "spark_jobs", "expectations", "plugins", "conf")
VARIABLE = re.compile(r"(?<!\$)\$\{\w+(?::-([^}]*)|:\?[^}]*)\}")


def parsed(text: str) -> PyCompose:
    """Parse a Compose file; raise ValueError for what the specification does not know."""
    # compose_spec itself interpolates no variables and resolves no merges within merges.
    document = yaml.safe_load(VARIABLE.sub(lambda found: found[1] or "given", text))
    compose = PyCompose.from_json(json.dumps(document))
    compose.validate()
    for name, service in services(compose).items():
        for other in service.get("depends_on", ()):
            if other not in compose:
                raise ValueError(f"service {name} depends on {other}, which is not there")
        for volume in map(source, service.get("volumes", ())):
            if "/" not in volume and volume not in document["volumes"]:
                raise ValueError(f"service {name} mounts {volume}, which is not there")
    return compose


def services(compose: PyCompose) -> dict[str, dict[str, Any]]:
    return dict(compose.to_dict()["services"])


def source(mount: str) -> str:
    return mount.partition(":")[0]


@pytest.fixture(scope="module")
def started() -> dict[str, dict[str, Any]]:
    """The services by name, with YAML's merges resolved."""
    return services(parsed(FILE.read_text(encoding="utf-8")))


def words(service: dict[str, Any]) -> str:
    command = service.get("command", "")
    return command if isinstance(command, str) else " ".join(command)


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("    healthcheck:", "    helthcheck:", "helthcheck"),
        ("condition: service_healthy", "condition: service_fine", "service_fine"),
        ("\nservices:", "\nservces:", "services"),
        ("- postgres:/var/lib", "- postgress:/var/lib", "mounts postgress"),
        ("\n  spark-master:", "\n  spark-mastr:", "depends on spark-master"),
    ],
)
def test_a_slip_of_the_pen_is_refused(right: str, wrong: str, says: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(ValueError, match=says):
        parsed(text.replace(right, wrong))


def test_airflow_runs_as_three_services_on_postgres(started: dict[str, dict[str, Any]]) -> None:
    for component in ("api-server", "scheduler", "dag-processor"):
        service = started[f"airflow-{component}"]
        assert words(service) == component
        assert "postgres" in service["depends_on"]
        assert "@postgres/" in service["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert started["postgres"]["image"].startswith("postgres:")


def test_spark_has_a_master_and_a_worker_that_finds_it(started: dict[str, dict[str, Any]]) -> None:
    assert "deploy.master.Master" in words(started["spark-master"])
    workers = [service for name, service in started.items() if name.startswith("spark-worker")]
    assert workers
    for worker in workers:
        assert "deploy.worker.Worker" in words(worker)
        assert "spark://spark-master:7077" in words(worker)


def test_what_the_live_dags_read_waits_for_its_profile_and_nothing_else_does(
    started: dict[str, dict[str, Any]],
) -> None:
    assert {name: s["profiles"] for name, s in started.items() if s.get("profiles")} == {
        "kafka": ["kafka"],
        "weather-station": ["kafka"],
    }


def test_the_live_departures_read_the_broker_of_the_profile(
    started: dict[str, dict[str, Any]],
) -> None:
    broker = started["kafka"]
    advertised = broker["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    host, _, port = advertised.partition(":")
    assert broker["hostname"] == host
    assert f"PLAINTEXT://:{port}" in broker["environment"]["KAFKA_LISTENERS"].split(",")
    dag = (FILE.parent / "dags" / "live_departures.py").read_text(encoding="utf-8")
    (conn_id,) = re.findall(r'"conn_id": "(\w+)"', dag)
    (topic,) = re.findall(r'"kafka": "(\w+)"', dag)
    assert topic == TOPIC
    for name, service in started.items():
        if not name.startswith("airflow"):
            continue
        given = json.loads(service["environment"][f"AIRFLOW_CONN_{conn_id.upper()}"])
        assert given["conn_type"] == "kafka"
        read, secured = served(
            KafkaRead(name="x", kafka=topic, conn_id=conn_id, schema="a INT"), given["extra"]
        )
        assert (read.servers, secured) == (advertised, {}), name
    image = (FILE.parent / "docker" / "airflow.Dockerfile").read_text(encoding="utf-8")
    (fetched,) = re.findall(r"--packages (\S+)", image)
    assert fetched in packages().split(",")


def test_the_live_weather_listens_to_the_station_of_the_profile(
    started: dict[str, dict[str, Any]],
) -> None:
    station = started["weather-station"]
    dag = (FILE.parent / "dags" / "live_weather.py").read_text(encoding="utf-8")
    (conn_id,) = set(re.findall(r"conn\.(\w+)\.", dag))
    for name, service in started.items():
        if name.startswith("airflow"):
            given = json.loads(service["environment"][f"AIRFLOW_CONN_{conn_id.upper()}"])
            assert given["host"] == station["hostname"], name
            assert f"--port {given['port']}" in words(station), name
    # What it is started with, it takes; and what it sends lies where it looks.
    module = words(station).removeprefix("python -m ").split()[0]
    assert callable(import_module(module).main)
    mounts = dict(each.split(":")[:2] for each in station["volumes"])
    assert {"./demo", "./landing"} == set(mounts)
    assert set(map(os.path.dirname, mounts.values())) == {station["working_dir"]}


def test_whatever_runs_a_stage_sees_the_same_folders_of_this_repository(
    started: dict[str, dict[str, Any]],
) -> None:
    for name, service in started.items():
        if not name.startswith(("airflow", "spark")):
            continue
        mounts = dict(each.split(":")[:2] for each in service["volumes"])
        for folder in MOUNTED:
            assert mounts[f"./{folder}"].endswith(f"/{folder}"), name
            assert (FILE.parent / folder).is_dir()
        assert mounts["spool"] == str(Path(mounts["./dags"]).with_name("spool")), name
        assert mounts["lake"] == str(Path(mounts["./dags"]).with_name("lake")), (
            "a relative warehouse is beside dags/"
        )


def test_no_port_is_published_beyond_this_machine(started: dict[str, dict[str, Any]]) -> None:
    published = [str(port) for service in started.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published), published


SECRETS = ("AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY", "POSTGRES_PASSWORD", "SPARK_AUTH_SECRET")
EXACT = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)*(-python\d+\.\d+)?(@sha256:[0-9a-f]{64})?")
NEEDED = {"postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}}
"""Capabilities that an image's own start needs."""


def required_variables() -> dict[str, set[str]]:
    """Return how each variable of the file is asked for: ``:?`` or ``:-``."""
    asked: dict[str, set[str]] = {}
    text = FILE.read_text(encoding="utf-8")
    for name, way in re.findall(r"(?<!\$)\$\{(\w+)(:[-?]|\})", text):
        asked.setdefault(name, set()).add(way)
    return asked


def test_no_secret_has_a_default() -> None:
    asked = required_variables()
    secret = re.compile("SECRET|KEY|PASSWORD|TOKEN")
    assert {name for name in asked if secret.search(name)} == set(SECRETS)
    for name in SECRETS:
        assert asked[name] == {":?"}, name


def test_the_example_makes_every_secret(tmp_path: Path) -> None:
    example = (FILE.parent / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^(\w+)=(.*)$", example, re.M))
    assert given == dict.fromkeys(SECRETS, "")
    operate = (FILE.parent / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^umask 077; (bash .*) > \.env$", operate, re.M)
    made = subprocess.run(
        ["bash", "-c", line], cwd=FILE.parent, capture_output=True, text=True, check=True
    ).stdout
    secrets = dict(each.split("=", 1) for each in made.split())
    assert set(secrets) == set(SECRETS)
    assert len(set(secrets.values())) == len(SECRETS)
    assert Fernet(secrets["AIRFLOW_FERNET_KEY"])
    for name in ("AIRFLOW_JWT_SECRET", "POSTGRES_PASSWORD", "SPARK_AUTH_SECRET"):
        assert re.fullmatch(r"[0-9a-f]{48,}", secrets[name])


def test_no_container_can_do_more_than_it_needs(started: dict[str, dict[str, Any]]) -> None:
    for name, service in started.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service.get("cap_add", ())) == NEEDED.get(name, set()), name
        assert not service.get("privileged"), name
        assert service.get("user") != "root", name


def test_every_image_is_of_an_exact_version(started: dict[str, dict[str, Any]]) -> None:
    """A tag is no digest: where this was written, no registry could be asked for one."""
    images = {service["image"] for service in started.values()}
    dockerfile = (FILE.parent / "docker" / "airflow.Dockerfile").read_text(encoding="utf-8")
    images |= set(re.findall(r"^FROM (\S+)", dockerfile, re.M))
    assert len(images) == 4
    assert [image for image in images if not EXACT.fullmatch(image)] == []


def test_whatever_speaks_to_the_cluster_knows_its_secret(
    started: dict[str, dict[str, Any]],
) -> None:
    for name, service in started.items():
        if not name.startswith(("airflow", "spark")):
            continue
        assert service["entrypoint"][:3] == ["/usr/bin/dumb-init", "--", "with-spark-secret"]
        assert service["environment"]["SPARK_AUTH_SECRET"]
        assert not service["environment"]["SPARK_CONF_DIR"].startswith("/opt/project")
        assert "secret" not in words(service)
