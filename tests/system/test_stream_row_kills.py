"""kill -9 of a stream that takes single rows out, and of one that replaces rows by their keys.

Each is killed at every step of a publish that is its own: rows that break a rule go to the dead
letters before the rest is published; rows that are merged lie aside until main has them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.system.stages import Project
from tests.system.test_stream_kills import OF_THE_ATTEMPT, batches, end_of

pytestmark = [pytest.mark.system, pytest.mark.slow]

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import SqlStageOperator, StreamStageOperator

EVENTS = {"path": "landing/events/", "stream": True, "format": "json", "schema": "id INT, v DOUBLE"}
SHARED = {"reads": {"events": EVENTS}, "gate": "positive", "max_per_batch": 1}

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    StreamStageOperator(
        task_id="sifted", job="as_it_is.py", writes="lake.t.sifted", dead_letters=True, **SHARED
    )
    StreamStageOperator(
        task_id="counted", job="counted.py", writes="lake.t.counted", mode="update", keys=["id"],
        **SHARED,
    )
    for name, table in (("sifted", "sifted"), ("dead", "sifted__dead_letters"), ("counted",) * 2):
        SqlStageOperator(
            task_id=f"audit_{name}", job=f"{name}.sql", writes=f"lake.t.audit_{name}", gate="open",
            reads={"found": f"lake.t.{table}"},
        )
"""
JOBS = {
    "as_it_is.py": "def run(events):\n    return events\n",
    "counted.py": """
from pyspark.sql import functions as F

def run(events):
    return events.where("v > 0").groupBy("id").agg(F.sum("v").alias("v"))
""",
    "sifted.sql": "SELECT id, v FROM found",
    "counted.sql": "SELECT id, v FROM found",
    "dead.sql": "SELECT CAST(value AS STRING) AS value, reason FROM found",
}
POSITIVE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "v", "min_value": 0, "strict_min": True, "mostly": 0.5},
    "severity": "critical",
}
FILES = 5
"""A micro-batch each: one at the least for each attempt."""
ROWS = 4
STEPS = {
    "sifted": (
        "OnBranch.facts:begin",
        "StagedBatch.without:end",
        "StreamedTable.forward:end",
        "LetteredStaged.publish:end",
    ),
    "counted": (
        "RowsToMerge.publish_by:begin",
        "MergeRows.write:end",
        "StreamedTable.forward:end",
        "LetteredStaged.publish:end",
    ),
}
"""Of the rows: written aside; written anew without the broken ones; their letters published; all.

Of the merge: lying aside; merged on the branch; on main, and lying aside still; all.
"""
PUBLISHED = {("counted", "StreamedTable.forward:end")} | {
    (task, "LetteredStaged.publish:end") for task in STEPS
}
"""Where main has the micro-batch already."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("rows")) as made:
        made.write("dags/days.py", DAG)
        for name, text in JOBS.items():
            made.write(f"spark_jobs/{name}", text)
        made.suite("open")
        made.suite("positive", POSITIVE)
        landing = Path(made.root, "landing", "events")
        landing.mkdir()
        for number in range(FILES):
            lines = [json.dumps(each) for each in rows_of(number)]
            (landing / f"{number}.json").write_text("\n".join(lines), encoding="utf-8")
        yield made


def rows_of(number: int) -> list[dict[str, Any]]:
    """Return the rows of a file: the last of them breaks the rule; each file has the same ids."""
    values = [number + 1.0] * (ROWS - 1) + [-1.0 - number]
    return [{"id": place, "v": value} for place, value in enumerate(values)]


def published(project: Project, task: str) -> int:
    """Return how many micro-batches readers see, after a look at them: whole, each once."""
    seen = batches(project.table(f"lake.t.{task}").history())
    assert [int(each["tidegate.batch"]) for each in seen] == list(range(len(seen)))
    return len(seen)


def killed_at_every_step(project: Project, task: str) -> None:
    """Kill an attempt at every step, another victim each time, and let the last go to its end."""
    victims = (*OF_THE_ATTEMPT, "driver")
    number = 0
    for number, (step, victim) in enumerate(zip(STEPS[task], victims, strict=True), start=1):
        before = published(project, task)
        attempt = project.start(task, "r", number, TIDEGATE_STOP_AT=step)
        attempt.stopped()
        attempt.kill(victim)
        end_of(attempt, victim)
        assert published(project, task) == before + ((task, step) in PUBLISHED), step
    assert project.start(task, "r", number + 1).result()["verdict"] == "pass"
    assert published(project, task) == FILES


def audited(project: Project, name: str) -> list[dict[str, Any]]:
    project.start(f"audit_{name}", "audit").result()
    files = Path(project.root, "lake", "t", f"audit_{name}", "data").rglob("*.parquet")
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_rows_taken_out_are_dead_letters_once_and_the_rest_is_on_main_once(
    project: Project,
) -> None:
    killed_at_every_step(project, "sifted")
    sent = [row for number in range(FILES) for row in rows_of(number)]
    by_value = lambda row: (row["v"], row["id"])  # noqa: E731
    found = sorted(audited(project, "sifted"), key=by_value)
    assert found == sorted((row for row in sent if row["v"] > 0), key=by_value)
    dead = [json.loads(row["value"]) for row in audited(project, "dead")]
    assert sorted(dead, key=by_value) == sorted(
        (row for row in sent if row["v"] <= 0), key=by_value
    )


def test_rows_are_merged_by_their_keys_as_if_nothing_had_been_killed(project: Project) -> None:
    killed_at_every_step(project, "counted")
    total = sum(range(1, FILES + 1))
    found = sorted(audited(project, "counted"), key=lambda row: row["id"])
    assert found == [{"id": place, "v": float(total)} for place in range(ROWS - 1)]
    tables = {path.name for path in Path(project.root, "lake", "t").iterdir()}
    assert {name for name in tables if "__staged" in name} == set()
    assert project.table("lake.t.counted").refs() == {"main"}
