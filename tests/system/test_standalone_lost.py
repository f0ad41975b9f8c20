"""A Spark Standalone cluster that loses its master or a worker while a stage runs on it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.system.cluster import Cluster, to
from tests.system.stages import Project, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

DAG = """
import os
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    BatchStageOperator(
        task_id="sums", job="sums.py",
        reads={"routes": {"path": "landing/routes.csv", "schema": "src INT"}},
        writes="lake.t.sums", partition={"ds": "{{ ds }}"}, gate="some_rows",
        conf={
            "spark.eventLog.enabled": True,
            "spark.eventLog.dir": os.environ.get("EVENTS", "/nowhere"),
            "spark.eventLog.compress": False,
            "spark.executor.memory": "512m",
            # Each executor is to hold a part of what is shuffled: nothing begins with one alone.
            "spark.cores.max": 2,
            "spark.scheduler.minRegisteredResourcesRatio": 1.0,
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
            # A lost node's disk is lost too; here it is this machine's, and would still be read.
            "spark.shuffle.readHostLocalDisk": False,
            "spark.shuffle.io.maxRetries": 1,
            "spark.shuffle.io.retryWait": "1s",
            # So that a task has shuffled rows still to read when it has handed on its first ones.
            "spark.sql.execution.arrow.maxRecordsPerBatch": 50,
        },
    )
"""
JOB = """
import time
from pathlib import Path
from pyspark import TaskContext
from pyspark.sql import functions as F

PROJECT = Path({root!r})

def held(batches):
    number = TaskContext.get().partitionId()
    for batch in batches:
        yield batch
        (PROJECT / f"reading.{{number}}").touch()
        while (PROJECT / "hold").exists():
            time.sleep(0.1)

def run(routes, spark):
    rows = spark.range(0, 8000, numPartitions=4).select((F.col("id") % 8).alias("src"), "id")
    # Two executors of one core: of these four tasks two read at a time, and two come later.
    spread = rows.repartition(4, "src").mapInPandas(held, "src LONG, id LONG")
    return spread.groupBy("src").agg(F.count("*").alias("rows"), F.sum("id").alias("total"))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("lost")) as made:
        made.write("dags/days.py", DAG)
        made.write("spark_jobs/sums.py", JOB.format(root=str(made.root)))
        made.write("landing/routes.csv", "src\n1\n")
        rows = {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 8, "max_value": 8},
            "severity": "critical",
        }
        made.suite("some_rows", rows)
        (made.root / "events").mkdir()
        yield made


@pytest.fixture
def cluster(project: Project, tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path, project.environment, workers=2)
    yield started
    started.stop()


def started(project: Project, cluster: Cluster, run_id: str) -> Any:
    """Start the stage, and return it when two tasks are in the midst of a shuffle read."""
    for marker in project.root.glob("reading.*"):
        marker.unlink()
    (project.root / "hold").touch()
    events = f"file://{project.root}/events"
    attempt = project.start("sums", run_id, ds="2013-01-02", EVENTS=events, **to(cluster))
    until("two tasks that read", lambda: len(list(project.root.glob("reading.*"))) == 2)
    return attempt


def submitted_stages(project: Project, application: str) -> list[tuple[int, int]]:
    """Return the number and the attempt of each stage that Spark has submitted."""
    found = []
    for file in (project.root / "events").rglob(f"events_*{application}*"):
        for line in file.read_text().splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerStageSubmitted":
                info = event["Stage Info"]
                found.append((info["Stage ID"], info["Stage Attempt ID"]))
    return found


def rows_of(project: Project) -> list[tuple[int, int, int]]:
    """Return what readers of the table see: one run has written it."""
    (file,) = (project.root / "lake" / "t" / "sums" / "data").rglob("*.parquet")
    return sorted(
        (row["src"], row["rows"], row["total"]) for row in pq.read_table(file).to_pylist()
    )


RIGHT = [(src, 1000, 1000 * src + 8 * 499_500) for src in range(8)]


def test_a_worker_lost_during_a_shuffle_read_costs_stages_of_spark_and_no_rows(
    project: Project, cluster: Cluster
) -> None:
    attempt = started(project, cluster, "worker")
    cluster.lose_worker()
    until("the master's notice", lambda: cluster.state()["aliveworkers"] == 1)
    (project.root / "hold").unlink()
    assert attempt.result()["rows"] == 8
    assert rows_of(project) == RIGHT
    # What the lost executor had shuffled was made anew, from its lineage.
    stages = submitted_stages(project, attempt.report().spark["application"])
    assert max(number for _, number in stages) > 0, stages
    attempt.gone()


def test_a_master_that_restarts_costs_no_stage(project: Project, cluster: Cluster) -> None:
    attempt = started(project, cluster, "master")
    cluster.restart_master()
    (project.root / "hold").unlink()
    assert attempt.result()["rows"] == 8
    until("its end", lambda: cluster.applications("completed") == {"days.sums": "FINISHED"}, 60)
    attempt.gone()
