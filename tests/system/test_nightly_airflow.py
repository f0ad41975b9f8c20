"""Whole nights of ``nightly_flights`` on real Airflow: scheduler, DAG processor, API server, Spark.

The project is a copy in a folder of its own; only its landing folder is smaller. Tests run in
order: a good night, the night of a wind of 1,048 mph on top of it, and a task that somebody marks
as failed while it runs.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from demo.land import WHOLE, by_day, rows, write
from demo.server import AirflowServer
from tests.system.lake import Table
from tests.system.stages import REPOSITORY, environment, until

pytestmark = pytest.mark.system

DAG = "nightly_flights"
GOOD, BAD = "2013-02-08", "2013-02-12"
TASKS = ("landing_weather", "clean_flights", "daily_delays", "train_delay_model", "rank_airports")
TABLES = ("clean", "daily_delays", "airport_ranks")
NIGHT_SECONDS = 900


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nightly")
    for folder in ("dags", "spark_jobs", "expectations", "conf"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    for name in ("flights", "weather"):
        tables = by_day(name)
        for day in (GOOD, BAD):
            write(root / "landing" / name / f"{day}.csv", tables[day])
    for name in WHOLE:
        write(root / "landing" / f"{name}.csv", list(rows(name)))
    return root


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[AirflowServer]:
    ours = environment(project, "local[2]")
    settings = {
        name: ours[name]
        for name in ("AIRFLOW_CONN_SPARK_DEFAULT", "SPARK_CONF_DIR", "PATH", "PYTHONPATH")
    }
    settings["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    settings["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] = "2"
    with AirflowServer(project / "airflow", project / "dags", settings=settings) as started:
        yield started


@pytest.fixture(scope="module")
def good_night(server: AirflowServer) -> str:
    """A run of the good night that has ended; its id."""
    server.trigger(DAG, "good", {"date": GOOD})
    server.wait(DAG, "good", NIGHT_SECONDS)
    return "good"


def snapshots(project: Path) -> dict[str, int | None]:
    """What readers of each table see."""
    return {name: Table(project / "lake", f"lake.flights.{name}").main() for name in TABLES}


def ours(server: AirflowServer, run_id: str, task_id: str) -> list[str]:
    """The lines of a task's log that the stage wrote, as the UI gets them."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1?full_content=true"
    lines = server.call("GET", path)["content"]
    return [each["event"] for each in lines if "tidegate" in each.get("logger", "")]


def folder(project: Path, run_id: str, task_id: str) -> Path:
    return project / "airflow" / "tidegate" / DAG / run_id / task_id / "map=-1" / "try=1"


def test_a_good_night_is_green_at_the_first_try(server: AirflowServer, good_night: str) -> None:
    tasks = server.tasks(DAG, good_night)
    seen = {name: (each["state"], each["try_number"]) for name, each in tasks.items()}
    assert seen == dict.fromkeys(TASKS, ("success", 1)), "\n".join(
        line
        for name, (state, _) in seen.items()
        if state == "failed"
        for line in server.log(DAG, good_night, name)
    )


def test_its_asset_event_says_what_was_published(
    server: AirflowServer, project: Path, good_night: str
) -> None:
    events = server.call("GET", f"assets/events?source_dag_id={DAG}&source_run_id={good_night}")[
        "asset_events"
    ]
    extras = {each["source_task_id"]: each["extra"] for each in events}
    assert set(extras) == set(TASKS) - {"landing_weather"}
    clean = Table(project / "lake", "lake.flights.clean")
    assert extras["clean_flights"] == {
        "verdict": "warn",
        "suite": "flights_clean",
        "rows": clean.rows(),
        "snapshot_id": clean.main(),
        "run_id": good_night,
        "partition": {"ds": GOOD},
    }
    assert (
        clean.rows()
        == len((project / "landing" / "flights" / f"{GOOD}.csv").read_text().splitlines()) - 1
    )
    assert extras["train_delay_model"]["snapshot_id"] == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_green_stage_links_its_pages_and_says_little(
    server: AirflowServer, project: Path, good_night: str, task: str
) -> None:
    links = server.call("GET", f"dags/{DAG}/dagRuns/{good_night}/taskInstances/{task}/links")[
        "extra_links"
    ]
    assert links["Spark UI"].startswith("http://")
    assert links["Gate report"] == f"/tidegate/reports/{DAG}/{good_night}/{task}/-1/1"
    said = ours(server, good_night, task)
    assert 5 <= len(said) <= 40, "\n".join(said)
    where = folder(project, good_night, task)
    root = where.parents[4]
    placed = [line.removeprefix("[log] ") for line in said if line.startswith("[log] ")]
    assert "".join(placed) == f"reports folder {root}{where.relative_to(root)}/spark.log"
    assert max(map(len, said)) <= 90, "\n".join(said)
    assert (
        len(
            (folder(project, good_night, task) / "spark.log")
            .read_text(errors="replace")
            .splitlines()
        )
        > 40
    )


def test_the_gate_report_is_a_page_for_those_who_are_logged_in(
    server: AirflowServer, good_night: str
) -> None:
    page = f"{server.url}/tidegate/reports/{DAG}/{good_night}/clean_flights/-1/1"
    shown = requests.get(page, headers={"Authorization": f"Bearer {server.token()}"}, timeout=60)
    assert shown.status_code == 200
    assert "Published with a warning" in shown.text
    assert "dep_time must not be null" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert requests.get(page, timeout=60, allow_redirects=False).status_code in (302, 401)
    nothing = requests.get(
        f"{page}9", headers={"Authorization": f"Bearer {server.token()}"}, timeout=60
    )
    assert nothing.status_code == 404


def test_the_bad_night_stops_at_its_gate_and_readers_notice_nothing(
    server: AirflowServer, project: Path, good_night: str
) -> None:
    before = snapshots(project)
    assert all(before.values())
    server.trigger(DAG, "bad", {"date": BAD})
    assert server.wait(DAG, "bad", NIGHT_SECONDS) == "failed"
    tasks = server.tasks(DAG, "bad")
    assert (tasks["landing_weather"]["state"], tasks["landing_weather"]["try_number"]) == (
        "failed",
        1,
    )
    assert {tasks[name]["state"] for name in TASKS[1:]} == {"upstream_failed"}
    assert snapshots(project) == before
    said = ours(server, "bad", "landing_weather")
    card = [line for line in said if line.startswith("| ")]
    assert 5 <= len(card) <= 15, "\n".join(said)
    text = "\n".join(card)
    for word in (
        "GATE CLOSED",
        "suite weather_landing",
        "wind_speed: 1.4 % outside [0, 200] (1 of 72), e.g. 1048.36",
        "retry  no",
    ):
        assert word in text, text
    for file in ("spark.log", "report.json"):
        assert file in text
        assert (folder(project, "bad", "landing_weather") / file).is_file()
    assert "Gate closed" in (folder(project, "bad", "landing_weather") / "report.html").read_text()
    assert len(said) <= 40
    assert (
        json.loads((folder(project, "bad", "landing_weather") / "report.json").read_text())[
            "outcome"
        ]
        == "held"
    )


def test_marking_a_running_task_failed_ends_its_driver(
    server: AirflowServer, project: Path, good_night: str
) -> None:
    before = snapshots(project)
    spec = str(folder(project, "marked", "landing_weather") / "spec.json")
    server.trigger(DAG, "marked", {"date": GOOD})
    until("the driver's Python", lambda: len(processes(spec)) >= 2, NIGHT_SECONDS)
    path = f"dags/{DAG}/dagRuns/marked/taskInstances/landing_weather"
    server.call("PATCH", path, new_state="failed")
    until("the end of the driver", lambda: not processes(spec), 60)
    assert server.wait(DAG, "marked", NIGHT_SECONDS) == "failed"
    assert not (folder(project, "marked", "landing_weather") / "report.json").exists(), (
        "the driver was not ended"
    )
    assert snapshots(project) == before


def processes(spec: str) -> list[dict[str, Any]]:
    """Spark-submit's JVM and the driver's Python that were started with this spec."""
    listed = psutil.process_iter(["pid", "cmdline"])
    return [each.info for each in listed if spec in (each.info["cmdline"] or ())]
