"""The same stages on a real Spark Standalone master and worker: the connection alone changes."""

from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest
from tests.system.cluster import Cluster, to
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
