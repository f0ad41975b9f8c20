"""docker-compose.yml keeps to the Compose specification and starts what it says it starts.

There is no container engine where this was written: the file's schema and its references are what
is checked.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

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


def test_kafka_waits_for_its_profile_and_nothing_else_does(
    started: dict[str, dict[str, Any]],
) -> None:
    assert {name: s["profiles"] for name, s in started.items() if s.get("profiles")} == {
        "kafka": ["kafka"]
    }


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
        assert mounts["lake"] == str(Path(mounts["./dags"]).with_name("lake")), (
            "a relative warehouse is beside dags/"
        )


def test_no_port_is_published_beyond_this_machine(started: dict[str, dict[str, Any]]) -> None:
    published = [str(port) for service in started.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published), published
