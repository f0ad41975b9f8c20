"""The same stages on a real Spark Standalone master and worker: the connection alone changes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from demo.server import free_port
from tests.system.stages import Project, until

pytestmark = pytest.mark.system

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator, GraphStageOperator, SqlStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    by_day = {"partition": {"ds": "{{ ds }}"}, "gate": "some_rows"}
    BatchStageOperator(
        task_id="hops", job="hops.py",
        reads={"routes": {"path": "landing/routes.csv", "schema": "src INT, dst INT"}},
        writes="lake.t.hops", **by_day,
    )
    SqlStageOperator(
        task_id="degrees", job="degrees.sql", reads={"hops": "lake.t.hops"},
        writes="lake.t.degrees", **by_day
    )
    GraphStageOperator(
        task_id="ranks", job="ranks.py",
        reads={"edges": "lake.t.hops", "vertices": "lake.t.degrees"},
        writes="lake.t.ranks", **by_day,
    )
"""
HOPS = """
import os, time
from pathlib import Path

def run(routes):
    held = os.environ.get("HOLD_WORKER")

    def where(batches):
        for batch in batches:
            yield batch.assign(cwd=os.getcwd())
        if held:
            Path(held).touch()
            time.sleep(300)

    return routes.mapInPandas(where, "src INT, dst INT, cwd STRING")
"""
DEGREES = "SELECT src AS id, count(*) AS degree FROM hops WHERE ds = :ds GROUP BY src"
RANKS = "def run(graph):\n    return graph.pagerank()\n"


class Cluster:
    """A master and one worker of one core, on free ports of the loopback interface."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        }
        port, ui = str(free_port()), str(free_port())
        self.master, self._ui = f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{ui}/json/"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", ui)
        until("the master", lambda: self.state().get("status") == "ALIVE")
        self._start(
            "worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
            "--webui-port", str(free_port()),
            "--work-dir", str(folder / "work"), self.master,
        )  # fmt: skip
        until("the worker", lambda: self.state().get("aliveworkers") == 1)

    def _start(self, role: str, *words: str) -> None:
        command = [
            str(Path(sys.executable).with_name("spark-class")),
            f"org.apache.spark.deploy.{role}",
            *words,
        ]
        with (self.folder / f"{role}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=self._environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def state(self) -> dict[str, Any]:
        """Return what the master says of itself; nothing while it does not answer."""
        for process in self._processes:
            assert process.poll() is None, [
                each.read_text()[-2000:] for each in self.folder.glob("*.log")
            ]
        try:
            return dict(requests.get(self._ui, timeout=10).json())
        except requests.RequestException:
            return {}

    def applications(self, kind: str) -> dict[str, str]:
        """Return the ``active`` or ``completed`` applications with their states."""
        return {each["name"]: each["state"] for each in self.state()[f"{kind}apps"]}

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("standalone")) as made:
        made.write("dags/days.py", DAG)
        for name, text in (("hops.py", HOPS), ("degrees.sql", DEGREES), ("ranks.py", RANKS)):
            made.write(f"spark_jobs/{name}", text)
        made.write("landing/routes.csv", "src,dst\n1,2\n2,3\n3,1\n1,3\n")
        rows = {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1},
            "severity": "critical",
        }
        made.suite("some_rows", rows)
        yield made


@pytest.fixture(scope="module")
def cluster(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("cluster"), project.environment)
    yield started
    started.stop()


def to(cluster: Cluster) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": cluster.master})
    }


def test_stages_run_on_the_cluster_by_changing_the_connection_alone(
    project: Project, cluster: Cluster
) -> None:
    here = project.start("hops", "local", ds="2013-01-01")
    assert here.result()["rows"] == 4
    assert here.report().spark["master"] == "local[1]"
    for task, rows in (("hops", 4), ("degrees", 3), ("ranks", 3)):
        there = project.start(task, "cluster", ds="2013-01-02", **to(cluster))
        result = there.result()
        assert (result["rows"], result["verdict"]) == (rows, "pass")
        assert there.report().spark["master"] == cluster.master
        assert project.table(f"lake.t.{task}").main() == result["snapshot_id"]
        there.gone()
    ended = {f"days.{task}": "FINISHED" for task in ("hops", "degrees", "ranks")}
    until("the applications' end", lambda: cluster.applications("completed") == ended, 30)
    assert project.table("lake.t.hops").rows() == 8


def test_the_relative_warehouse_is_the_projects_from_wherever_executors_run(
    project: Project, cluster: Cluster
) -> None:
    files = list((project.root / "lake" / "t" / "hops" / "data").rglob("*.parquet"))
    folders = {
        row["cwd"] for file in files for row in pq.read_table(file, columns=["cwd"]).to_pylist()
    }
    elsewhere = {each for each in folders if each.startswith(str(cluster.folder / "work"))}
    assert elsewhere
    assert folders - elsewhere == {str(project.root)}
    assert not list(cluster.folder.rglob("lake"))


def test_ending_the_task_ends_the_application(project: Project, cluster: Cluster) -> None:
    before = project.table("lake.t.hops").main()
    marker = project.root / "held"
    attempt = project.start(
        "hops", "marked", ds="2013-01-03", HOLD_WORKER=str(marker), **to(cluster)
    )
    until("a task on the cluster's executor", marker.exists)
    assert cluster.applications("active") == {"days.hops": "RUNNING"}
    task = attempt.process("task")
    assert task
    task.terminate()
    assert attempt.end().get("error") == "DriverLost"
    until("the application's end", lambda: not cluster.applications("active"), 30)
    attempt.gone()
    assert project.table("lake.t.hops").main() == before
