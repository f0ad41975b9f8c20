"""Stages on a real YARN and HDFS: drivers on the cluster, their reports, their ends."""

import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests
from tests.hadoop_cluster import Hadoop
from tests.system.stages import Attempt, Project, until

from tidegate.contract import Report

pytestmark = pytest.mark.system
SECONDS = 400
"""How long a stage may take on YARN: five JVMs start for it, on a machine that may be busy."""
SECRET = "s0rely-kept"
DAG = """
import os
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    BatchStageOperator(
        task_id="hops", job="hops.py",
        reads={"routes": {"path": "landing/routes.csv", "schema": "src INT, dst INT"}},
        writes="lake.t.hops", partition={"ds": "{{ ds }}"}, gate="some_rows",
        driver_memory="512m",
        env_vars={"GREETING": "hello", "API_TOKEN": os.environ.get("SECRET", "")},
        yarn_queue=os.environ.get("QUEUE"),
    )
"""
JOB = """
import os, sys, time
from pathlib import Path

PROJECT = Path({root!r})

def run(routes):
    told = {{key: os.environ.get(key) for key in ("GREETING", "API_TOKEN")}}
    print("the job says", told["GREETING"], len(told["API_TOKEN"] or ""), file=sys.stderr)
    if (PROJECT / "gluttony").exists():
        kept = b"x" * 2_000_000_000
    (PROJECT / "held").touch()
    while (PROJECT / "hold").exists() and not os.environ.get("IS_FREE"):
        time.sleep(0.1)
    return routes
"""


class Night:
    """A project whose stages run on YARN."""

    def __init__(self, project: Project, hadoop: Hadoop) -> None:
        self.project = project
        self.hadoop = hadoop
        self.hold = project.root / "hold"
        self.held = project.root / "held"

    def start(self, run_id: str, number: int = 1, **variables: str) -> Attempt:
        """Start an attempt in cluster mode; its report comes by a folder that all machines have."""
        self.held.unlink(missing_ok=True)
        given = {
            "AIRFLOW_CONN_SPARK_DEFAULT": connection("cluster"),
            "AIRFLOW__TIDEGATE__REPORTS_DIR": f"file://{self.project.home}/tidegate",
            "HADOOP_CONF_DIR": str(self.hadoop.conf_dir),
            **variables,
        }
        return self.project.start("hops", run_id, number, **given)

    def apps(self) -> list[dict[str, Any]]:
        """Return what YARN knows of applications, oldest first."""
        said = requests.get(f"{self.hadoop.web}/ws/v1/cluster/apps", timeout=30).json()
        found = (said["apps"] or {}).get("app") or []
        return sorted(found, key=lambda app: app["id"])

    def main(self) -> int | None:
        """Return the snapshot that readers of the table see."""
        folder = "/lake/t/hops/metadata"
        names = [name for name in self.hadoop.names(folder) if name.endswith(".metadata.json")]
        newest = max(names, key=lambda name: int(name[1:].partition(".")[0]))
        table = json.loads(self.hadoop.read(f"{folder}/{newest}"))
        found: int | None = table.get("current-snapshot-id")
        return found


def connection(mode: str) -> str:
    extra = json.dumps({"deploy-mode": mode})
    return json.dumps({"conn_type": "spark", "host": "yarn", "extra": extra})


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    with Hadoop(tmp_path_factory.mktemp("hadoop")) as started:
        yield started


@pytest.fixture(scope="module")
def night(hadoop: Hadoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    with Project(tmp_path_factory.mktemp("yarn")) as project:
        project.write("dags/days.py", DAG)
        project.write("spark_jobs/hops.py", JOB.format(root=str(project.root)))
        project.write("landing/routes.csv", "src,dst\n1,2\n2,3\n3,1\n1,3\n")
        rows = {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1},
            "severity": "critical",
        }
        project.suite("some_rows", rows)
        conf = project.root / "conf" / "spark-defaults.conf"
        lines = [line for line in conf.read_text().splitlines() if "driver.memory" not in line]
        conf.write_text("\n".join([*lines, *hadoop.spark_conf()]))
        made = Night(project, hadoop)
        until("the node", lambda: made.hadoop.nodes() == 1)
        yield made


def ended(attempt: Attempt) -> dict[str, Any]:
    return attempt.end(SECONDS)


def result(attempt: Attempt) -> dict[str, Any]:
    outcome = ended(attempt)
    assert "result" in outcome, f"{outcome}\n{attempt.log()}"
    return dict(outcome["result"])


def log_of(attempt: Attempt) -> str:
    return (attempt.folder / "spark.log").read_text()


def test_a_driver_on_the_cluster_reports_by_hdfs(night: Night) -> None:
    here = night.hadoop.hdfs.removeprefix("hdfs://")
    webhdfs = {"conn_type": "webhdfs", "host": "127.0.0.1", "port": night.hadoop.webhdfs}
    attempt = night.start(
        "nightly__2013-01-01T00:00:00+00:00",
        AIRFLOW__TIDEGATE__REPORTS_DIR=f"hdfs://reports@{here}/reports",
        AIRFLOW_CONN_REPORTS=json.dumps({**webhdfs, "login": "root"}),
        SECRET=SECRET,
        QUEUE="nights",
    )
    told = result(attempt)
    assert (told["rows"], told["verdict"]) == (4, "pass")
    (app,) = night.apps()
    assert (app["finalStatus"], app["queue"]) == ("SUCCEEDED", "root.nights")
    assert app["applicationTags"].startswith("tidegate:")
    # The report came by HDFS, and everything that a page needs is there for all machines.
    run = "days/nightly__2013-01-01T00%3A00%3A00+00%3A00/hops/map=-1/try=1"
    left = night.hadoop.names(f"/reports/{run}")
    assert left == ["report.html", "report.json", "spark.log", "spec.json", "told.jsonl"]
    folder = night.project.home / "tidegate" / run
    report = Report.from_json((folder / "report.json").read_text())
    assert report.spark["application"] == app["id"]
    log = (folder / "spark.log").read_text()
    assert "wrote 4 rows aside" in attempt.log()
    assert f"the job says hello {len(SECRET)}" in log.partition("the driver's own log")[2]
    for name in left:
        assert SECRET not in night.hadoop.read(f"/reports/{run}/{name}")


@pytest.mark.slow
def test_a_driver_in_client_mode_runs_beside_its_task(night: Night) -> None:
    attempt = night.start("client", AIRFLOW_CONN_SPARK_DEFAULT=connection("client"))
    assert result(attempt)["rows"] == 4
    app = night.apps()[-1]
    assert app["finalStatus"] == "SUCCEEDED"
    assert attempt.report().spark["application"] == app["id"]
    attempt.gone()


@pytest.mark.slow
def test_a_retry_waits_for_the_driver_that_outlived_its_task(night: Night) -> None:
    night.hold.touch()
    first = night.start("outlived")
    until("the job", night.held.exists, SECONDS)
    first.kill("task")
    first.gone()
    app = night.apps()[-1]
    assert app["state"] == "RUNNING"
    second = night.start("outlived", 2)
    until("the retry that waits", lambda: f"{app['id']} of try 1 still runs" in second.log())
    night.hold.unlink()
    assert result(second)["rows"] == 4
    assert night.apps()[-1]["id"] == app["id"]
    assert second.report() == first.report()
    assert second.report().attempt.try_number == 1


@pytest.mark.slow
def test_ending_the_task_ends_the_application_and_publishes_nothing(night: Night) -> None:
    before = night.main()
    night.hold.touch()
    attempt = night.start("ended")
    until("the job", night.held.exists, SECONDS)
    task = attempt.process("task")
    assert task
    task.terminate()
    assert ended(attempt)["error"] == "DriverLost"
    night.hold.unlink()
    assert night.apps()[-1]["finalStatus"] == "KILLED"
    attempt.gone()
    assert night.main() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "error", "said"),
    [(9, "ResourceExhausted", "exitCode: 137"), (15, "DriverLost", "Shutdown hook called")],
)
def test_yarn_says_how_a_driver_died(night: Night, number: int, error: str, said: str) -> None:
    night.hold.touch()
    attempt = night.start(f"signal-{number}")
    until("the job", night.held.exists, SECONDS)
    app = night.apps()[-1]["id"]
    driver = next(each for each in psutil.process_iter() if is_driver_of(app, each))
    driver.send_signal(number)
    outcome = ended(attempt)
    night.hold.unlink()
    assert (outcome["error"], outcome["then"]) == (error, "RETRY"), outcome
    assert said in outcome["text"]


@pytest.mark.slow
def test_a_driver_beyond_its_memory_is_told_so(night: Night) -> None:
    gluttony = night.project.root / "gluttony"
    gluttony.touch()
    night.hold.touch()
    outcome = ended(night.start("gluttony"))
    night.hold.unlink()
    gluttony.unlink()
    assert (outcome["error"], outcome["then"]) == ("ResourceExhausted", "RETRY"), outcome
    assert "raise driver_memory" in outcome["text"]


@pytest.mark.slow
def test_a_queue_that_is_not_there_is_the_dags_to_change(night: Night) -> None:
    outcome = ended(night.start("queue", QUEUE="nihgts"))
    assert (outcome["error"], outcome["then"]) == ("SpecError", "FAIL"), outcome
    assert "no such queue" in outcome["text"]


@pytest.mark.slow
def test_of_two_attempts_in_two_modes_one_publishes(night: Night) -> None:
    night.hold.touch()
    on_the_cluster = night.start("mixed-cluster")
    until("the job", night.held.exists, SECONDS)
    here = {"AIRFLOW_CONN_SPARK_DEFAULT": connection("client"), "IS_FREE": "yes"}
    published = result(night.start("mixed-client", **here))["snapshot_id"]
    night.hold.unlink()
    assert ended(on_the_cluster)["error"] == "PublishError"
    assert night.main() == published


@pytest.mark.slow
def test_a_resource_manager_that_restarts_costs_no_stage(night: Night) -> None:
    night.hold.touch()
    attempt = night.start("restarted")
    until("the job", night.held.exists, SECONDS)
    night.hadoop.stop_manager()
    night.hadoop.start_manager()
    night.hold.unlink()
    assert result(attempt)["rows"] == 4


def is_driver_of(app: str, process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    is_master = "org.apache.spark.deploy.yarn.ApplicationMaster" in words
    return is_master and words[0].endswith("java") and any(app in word for word in words)
