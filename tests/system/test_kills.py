"""kill -9 of the driver, of spark-submit and of the task, at every step; the retry publishes once.

At each step one stage is killed three times, by another victim each, so that every retry has to get
past what the earlier ones left behind; then it is let through. Readers see what they saw before,
until the one publish.
"""

import signal
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.system.stages import Attempt, Project, until
from tests.thinned import only

pytestmark = pytest.mark.system

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator, Merge, SqlStageOperator

NUMBERS = {"numbers": {"path": "landing/numbers.csv", "schema": "n INT"}}

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    for task, mode, gate in (
        ("day", "replace", "open"), ("gated", "replace", "real"), ("first", "replace", "open"),
        ("log", "append", "open"), ("wider", "replace", "open"),
        ("rows", Merge(keys=["n"]), "open"), ("whole", Merge(keys=["n"], judge="table"), "open"),
    ):
        BatchStageOperator(
            task_id=task, job="job.py", reads=NUMBERS, writes=f"lake.t.{task}", mode=mode,
            gate=gate,
            partition={"ds": "{{ ds }}"} if mode == "replace" else None,
        )
    SqlStageOperator(
        task_id="audit", job="audit.sql", reads={"days": "lake.t.day"}, writes="lake.t.audit",
        gate="open",
    )
"""
JOB = """
import os, time
from pathlib import Path

def run(numbers):
    held = os.environ.get("HOLD_WORKER")

    def slowly(batches):
        yield from batches
        Path(held).touch()
        time.sleep(300)

    if "WIDER" in os.environ:
        numbers = numbers.selectExpr("n", "n * 2 AS twice")
    return numbers.mapInPandas(slowly, numbers.schema) if held else numbers
"""
AUDIT = "SELECT ds, count(*) AS rows, sum(n) AS total FROM days GROUP BY ds"
ROWS = 3
TOTAL = 6
STEPS = {
    # The lake is as it was until the fence is raised: one point stands for all before it. Refs that
    # are open with nothing committed to them are those of "write".
    "inputs": "inputs:end",
    "write": "",  # held inside a task of Spark, by the job
    "gate": "gate:begin",
    "before the verdict is on the branch": "publish:begin",
    "before the publish": "BranchedTable.publish:begin",
    # Not publish:end: a retry that finds everything published never comes to that step.
    "after the publish": "Record.save:begin",
}
"""Named by the steps of a report, or by the public method where no step begins or ends."""
TASKS = {"gate": "gated"}
"""Whose stage is killed at a step, where it is not ``day``."""
ALWAYS = ("before the publish", "after the publish")
"""Where an attempt has a verdict nobody sees, and a publish nobody was told of."""
REFS_ARE_OPEN = "BranchedTable.open:end"
COLUMN_IS_THERE = "ReplacePartition.write:begin"
_days = (f"{date(2013, 1, 1) + timedelta(days=n)}" for n in count())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One lake, where readers of ``lake.t.day`` and ``lake.t.gated`` see an earlier day already."""
    with Project(tmp_path_factory.mktemp("kills")) as made:
        made.write("dags/days.py", DAG)
        made.write("spark_jobs/job.py", JOB)
        made.write("spark_jobs/audit.sql", AUDIT)
        made.write("landing/numbers.csv", "n\n1\n2\n3\n")
        made.suite("open")
        rows = {
            "type": "expect_table_row_count_to_equal",
            "kwargs": {"value": ROWS},
            "severity": "critical",
        }
        made.suite("real", rows)
        assert made.start("day", "night-0", ds="2012-12-31").result()["rows"] == ROWS
        yield made


def held(
    project: Project, task: str, run: str, number: int, step: str, ds: str, **variables: str
) -> Attempt:
    """Start an attempt and return it once it stands at ``step``."""
    if step == "write":
        marker = project.root / f"{run}.{number}.held"
        attempt = project.start(task, run, number, ds=ds, HOLD_WORKER=str(marker), **variables)
        until(f"a Spark task that holds\n{attempt.log()}", marker.exists)
        return attempt
    attempt = project.start(
        task, run, number, ds=ds, TIDEGATE_STOP_AT=STEPS.get(step, step), **variables
    )
    attempt.stopped()
    return attempt


def kill(attempt: Attempt, victim: str) -> None:
    """Kill one of the three; assert what the task says, if it can, and that nothing lives on."""
    attempt.kill(victim)
    if driver := attempt.process("driver"):
        # What was not killed goes on, as it would without a breakpoint.
        driver.send_signal(signal.SIGCONT)
    if victim != "task":
        outcome = attempt.end()
        assert outcome.get("error") == "DriverLost", outcome
    attempt.gone()


@pytest.mark.parametrize("step", only(STEPS, ALWAYS))
def test_killed_at_any_step_by_anyone_the_retry_publishes_once(project: Project, step: str) -> None:
    task = TASKS.get(step, "day")
    run = f"at-{step.replace(' ', '-')}"
    day = next(_days)
    table = project.table(f"lake.t.{task}")
    rows = table.rows()
    refs = table.refs() | {"main"}
    for number, victim in enumerate(("driver", "jvm", "task"), start=1):
        before = table.main()
        trap = {}
        if victim == "task" and step == "inputs":
            # A driver that outlives its task would stay in its write, and be found.
            trap = {"HOLD_WORKER": str(project.root / "trap")}
        kill(held(project, task, run, number, step, day, **trap), victim)
        published = len(table.verdicts(run))
        assert (published == 1) == (table.rows() == rows + ROWS), f"{victim}: {table.history()[:2]}"
        if step != "after the publish" and victim != "task":
            assert table.main() == before, (
                f"{victim}: readers see an attempt that was killed before its publish"
            )
    retry = project.start(task, run, 4, ds=day)
    result = retry.result()
    retry.gone()
    (summary,) = table.verdicts(run)
    assert summary["tidegate.verdict"] == "pass"
    assert result["snapshot_id"] == table.main()
    assert table.rows() == rows + ROWS
    assert table.refs() == refs
    if step == "before the publish" and published:
        # The driver of the killed task had let go before it was ended, and came to its publish.
        assert "already published by try" in retry.log()
    elif step == "before the publish":
        assert "no work was done again" in retry.log()
    if step == "after the publish":
        assert "already published by try 1" in retry.log()


@pytest.mark.slow
def test_killed_before_the_table_was_ever_published(project: Project) -> None:
    table = project.table("lake.t.first")
    day = next(_days)
    kill(held(project, "first", "new", 1, REFS_ARE_OPEN, day), "jvm")
    kill(held(project, "first", "new", 2, "before the publish", day), "driver")
    assert table.main() is None
    result = project.start("first", "new", 3, ds=day).result()
    assert table.main() == result["snapshot_id"]
    assert table.rows() == ROWS
    assert table.refs() == {"main"}
    assert len(table.verdicts("new")) == 1


def test_an_append_killed_before_and_after_its_publish_is_there_once(project: Project) -> None:
    table = project.table("lake.t.log")
    kill(held(project, "log", "once", 1, "before the publish", "2013-01-01"), "jvm")
    kill(held(project, "log", "once", 2, "after the publish", "2013-01-01"), "driver")
    assert project.start("log", "once", 3).result()["snapshot_id"] == table.main()
    assert table.rows() == ROWS
    assert table.refs() == {"main"}
    assert len(table.verdicts("once")) == 1


MERGES = {
    "rows": ("MergeRows.write:begin", "MergeRows.write:end", "BranchedTable.publish:begin"),
    "whole": ("MergeRows.write:end", "Place.drop_sidecar:begin", "BranchedTable.publish:begin"),
}
"""Between the commits of a merge, by what is judged: rows aside, branch, verdict, main."""


@pytest.mark.parametrize("task", only(MERGES, ["rows"]))
def test_a_merge_killed_at_every_commit_is_there_once(project: Project, task: str) -> None:
    table = project.table(f"lake.t.{task}")
    project.start(task, "before").result()
    for number, step in enumerate(MERGES[task], start=1):
        victim = ("driver", "jvm")[number % 2]
        kill(held(project, task, "night", number, step, "2013-01-01"), victim)
        assert table.rows() == ROWS, f"killed at {step}: no row is there twice"
    done = project.start(task, "night", 9).result()
    assert table.rows() == ROWS
    assert done["rows"] == ROWS
    assert done["snapshot_id"] == table.main()
    assert table.refs() == {"main"}
    assert len(table.verdicts("night")) == 1
    left = (project.root / "lake" / "t").glob(f"{task}__staged*/metadata/*")
    assert list(left) == []


@pytest.mark.slow
def test_a_merge_killed_after_its_publish_is_found_and_its_rows_aside_dropped(
    project: Project,
) -> None:
    table = project.table("lake.t.rows")
    kill(held(project, "rows", "after", 1, "Place.drop_sidecar:begin", "2013-01-01"), "driver")
    retry = project.start("rows", "after", 2)
    assert retry.result()["snapshot_id"] == table.main()
    assert "already published by try 1" in retry.log()
    assert not list((project.root / "lake" / "t").glob("rows__staged*/metadata/*"))


@pytest.mark.slow
def test_killed_between_the_new_column_and_its_publish(project: Project) -> None:
    table = project.table("lake.t.wider")
    day = next(_days)
    project.start("wider", "narrow", ds=next(_days)).result()
    kill(held(project, "wider", "wide", 1, COLUMN_IS_THERE, day, WIDER="1"), "driver")
    assert table.rows() == ROWS
    project.start("wider", "wide", 2, ds=day, WIDER="1").result()
    assert table.rows() == 2 * ROWS
    assert table.refs() == {"main"}
    assert len(table.verdicts("wide")) == 1
    assert not list((project.root / "lake" / "t").glob("wider__staged*/metadata/*"))


def test_a_driver_that_wakes_up_after_its_retry_publishes_nothing(project: Project) -> None:
    table = project.table("lake.t.day")
    day = next(_days)
    sleeper = held(project, "day", "zombie", 1, "before the publish", day)
    project.start("day", "zombie", 2, ds=day).result()
    seen = (table.main(), table.rows(), table.refs())
    sleeper.stopped().send_signal(signal.SIGCONT)
    outcome = sleeper.end()
    assert outcome.get("error") == "PublishError", outcome
    assert "fenced off" in outcome["text"]
    assert (table.main(), table.rows(), table.refs()) == seen
    sleeper.gone()


def test_a_task_killed_while_spark_submit_starts_leaves_nothing_running(project: Project) -> None:
    attempt = project.start("day", "early", ds=next(_days), HOLD_WORKER=str(project.root / "trap"))
    until("spark-submit", lambda: len(attempt.living()) > 1)
    attempt.kill("task")
    attempt.gone()


def test_marking_a_task_ends_its_driver_while_it_works(project: Project) -> None:
    before = project.table("lake.t.day").main()
    attempt = held(project, "day", "marked", 1, "write", next(_days))
    task = attempt.process("task")
    assert task
    task.terminate()
    assert attempt.end().get("error") == "DriverLost"
    attempt.gone()
    assert project.table("lake.t.day").main() == before


def test_after_all_of_this_every_day_is_there_once(project: Project) -> None:
    project.start("audit", "audit").result()
    files = Path(project.root, "lake", "t", "audit", "data").rglob("*.parquet")
    days = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert {"ds": "2012-12-31", "rows": ROWS, "total": TOTAL} in days
    assert {(day["rows"], day["total"]) for day in days} == {(ROWS, TOTAL)}, days
    assert len({day["ds"] for day in days}) == len(days)
