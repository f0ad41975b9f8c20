"""kill -9 of a stream's driver, JVM and task, at every step and at random: every message once.

A stream of a real broker is killed again and again; what readers see is looked at after each kill,
and at the end every message is on main or among the dead letters, exactly once.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from tests.driver.local_spark import ICEBERG, KAFKA
from tests.kafka_broker import Broker
from tests.system.stages import Attempt, Project, until
from tests.thinned import only

pytestmark = [pytest.mark.system, pytest.mark.kafka]

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import SqlStageOperator, StreamStageOperator

EVENTS = {{"kafka": "events", "servers": "{servers}", "schema": "id INT, v DOUBLE"}}

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    StreamStageOperator(
        task_id="live", job="job.py", reads={{"events": EVENTS}}, writes="lake.t.live",
        gate="real", max_per_batch=100,
    )
    for name in ("live", "live__dead_letters"):
        SqlStageOperator(
            task_id=f"audit_{{name}}", job=f"{{name}}.sql", reads={{"t": f"lake.t.{{name}}"}},
            writes=f"lake.t.audit_{{name}}", gate="open",
        )
"""
JOB = "def run(events):\n    return events.select('id', 'v')\n"
MESSAGES = 3000
BAD_EVERY = 100
KILLS = int(os.environ.get("STREAM_KILLS", "2"))
"""At random moments; ``make kills N=50`` has more, ``make test`` none: those at each step alone."""
SEED = int(os.environ.get("STREAM_SEED", "11"))
STEPS = {
    "before the commits": "LetteredStaged.publish:begin",
    "between the dead letters and their batch": "StreamedTable.forward:end",
    "after the commits, before Spark notes it": "LetteredStaged.publish:end",
}
VICTIMS = ("driver", "jvm", "task")
LOST = {"DriverLost", "ClusterUnavailable", "PublishError"}


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as made:
        made.topic("events", 3)
        yield made


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("streams")) as made:
        conf = (made.root / "conf" / "spark-defaults.conf").read_text()
        made.write("conf/spark-defaults.conf", f"{conf}\nspark.jars.packages {ICEBERG},{KAFKA}\n")
        made.write("dags/days.py", DAG.format(servers=broker.servers))
        made.write("spark_jobs/job.py", JOB)
        made.write(
            "spark_jobs/live.sql",
            "SELECT count(*) AS rows, count(DISTINCT id) AS ids, sum(id) AS total FROM t",
        )
        made.write(
            "spark_jobs/live__dead_letters.sql",
            "SELECT count(*) AS rows, count(DISTINCT partition, offset) AS ids FROM t",
        )
        made.suite("open")
        not_null = {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "id"},
            "severity": "critical",
        }
        made.suite("real", not_null)
        yield made


def is_bad(number: int) -> bool:
    return number % BAD_EVERY == 0


def send(broker: Broker, first: int, last: int) -> None:
    lines = []
    for number in range(first, last):
        value = "nope" if is_bad(number) else json.dumps({"id": number, "v": 1.0})
        lines.append(f"{number}|{value}")
    broker.send("events", lines)


def look(project: Project) -> int:
    """Assert that what readers see is whole micro-batches, each once; return how many."""
    summaries = project.table("lake.t.live").history()
    batches = [
        (summary["tidegate.stream"], int(summary["tidegate.batch"]))
        for summary in reversed(summaries)
        if "tidegate.verdict" in summary
    ]
    assert batches == sorted(set(batches), key=batches.index)
    ends: list[str] = []
    for summary in reversed(summaries):
        if "tidegate.verdict" in summary:
            if ends:
                assert summary["tidegate.offsets_from"] == ends[-1]
            ends.append(summary["tidegate.offsets_to"])
    return len(batches)


def end_of(attempt: Attempt, victim: str) -> None:
    if driver := attempt.process("driver"):
        with suppress(ProcessLookupError):
            driver.send_signal(signal.SIGCONT)
    if victim != "task":
        outcome = attempt.end()
        assert "result" in outcome or outcome.get("error") in LOST, outcome
    attempt.gone()


def audited(project: Project, name: str) -> dict[str, int]:
    project.start(f"audit_{name}", f"audit_{name}").result()
    files = Path(project.root, "lake", "t", f"audit_{name}", "data").rglob("*.parquet")
    (row,) = [row for file in files for row in pq.read_table(file).to_pylist()]
    return dict(row)


@pytest.mark.parametrize("kills", only((0, KILLS), [0]))
def test_killed_at_every_step_and_at_random_every_message_is_there_once(
    project: Project, broker: Broker, kills: int
) -> None:
    rng = Random(SEED)
    send(broker, 0, MESSAGES // 2)
    number = 0
    for step, victim in zip(STEPS.values(), VICTIMS, strict=True):
        number += 1
        before = look(project)
        attempt = project.start("live", "r", number, TIDEGATE_STOP_AT=step)
        attempt.stopped()
        attempt.kill(victim)
        end_of(attempt, victim)
        assert look(project) == before + (step == "LetteredStaged.publish:end")
    send(broker, MESSAGES // 2, MESSAGES)
    for _ in range(kills):
        number += 1
        before = look(project)
        attempt = project.start("live", "r", number)
        victim = rng.choice(VICTIMS)
        # Among the micro-batches, and now and then before the first.
        if rng.random() < 0.8:
            moved = lambda a=attempt, b=before: look(project) > b or not a.living()  # noqa: E731
            until("a micro-batch", moved)
        time.sleep(rng.uniform(0, 4))
        if attempt.process(victim):
            with suppress(AssertionError):  # it has ended by itself meanwhile
                attempt.kill(victim)
        end_of(attempt, victim)
        assert look(project) >= before
    result = project.start("live", "r", number + 1).result()
    assert result["verdict"] in (None, "pass")
    look(project)
    ids = [number for number in range(MESSAGES) if not is_bad(number)]
    assert audited(project, "live") == {"rows": len(ids), "ids": len(ids), "total": sum(ids)}
    dead = MESSAGES - len(ids)
    assert audited(project, "live__dead_letters") == {"rows": dead, "ids": dead}
    refs = project.table("lake.t.live").refs() | project.table("lake.t.live__dead_letters").refs()
    assert refs == {"main"}
