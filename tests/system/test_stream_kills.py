"""kill -9 of a stream's driver, JVM, task, executor and broker: every message once, for all to see.

A stream of a real broker is killed at every step of a publish, and then at random, on a cluster;
what readers see is looked at all the while, and at the end every message is on main or among the
dead letters, exactly once. It compacts what it wrote meanwhile.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pyarrow.parquet as pq
import pytest
from demo.stream.broker import Broker
from tests.driver.local_spark import ICEBERG, KAFKA
from tests.system.cluster import Cluster, to
from tests.system.stages import Attempt, Project, until

pytestmark = [pytest.mark.system, pytest.mark.kafka]

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import SqlStageOperator, StreamStageOperator

EVENTS = {{"kafka": "events", "servers": "{servers}", "schema": "id INT, v DOUBLE"}}

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    StreamStageOperator(
        task_id="live", job="job.py", reads={{"events": EVENTS}}, writes="lake.t.live",
        gate="real", max_per_batch={most}, compact=10,
    )
    SqlStageOperator(
        task_id="audit", job="audit.sql", writes="lake.t.audit", gate="open",
        reads={{"live": "lake.t.live", "dead": "lake.t.live__dead_letters"}},
    )
"""
JOB = "def run(events):\n    return events.select('id', 'v')\n"
AUDIT = """
SELECT * FROM (SELECT count(*) AS rows, count(DISTINCT id) AS ids, sum(id) AS total FROM live),
  (SELECT count(*) AS dead, count(DISTINCT partition, offset) AS letters FROM dead)
"""
BAD_EVERY = 100
KILLS = int(os.environ.get("STREAM_KILLS", "2"))
"""At random moments, on a cluster; ``make kills N=50`` has more, and more messages."""
MESSAGES = 2000 * KILLS
SLICE = MESSAGES // (KILLS + 2)
SEED = int(os.environ.get("STREAM_SEED", "11"))
STEPS = {
    "before the commits": "LetteredStaged.publish:begin",
    "between the dead letters and their batch": "StreamedTable.forward:end",
    "after the commits, before Spark notes it": "LetteredStaged.publish:end",
}
OF_THE_ATTEMPT = ("driver", "jvm", "task")
"""Victims that end an attempt."""
VICTIMS = ("executor", "broker", *OF_THE_ATTEMPT)
LOST = {"DriverLost", "ClusterUnavailable", "PublishError"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as made:
        made.topic("events", 3)
        yield made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("streams")) as made:
        conf = (made.root / "conf" / "spark-defaults.conf").read_text()
        made.write("conf/spark-defaults.conf", f"{conf}\nspark.jars.packages {ICEBERG},{KAFKA}\n")
        dag = DAG.format(servers=broker.servers, most=max(100, MESSAGES // 200))
        made.write("dags/days.py", dag)
        made.write("spark_jobs/job.py", JOB)
        made.write("spark_jobs/audit.sql", AUDIT)
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


def batches(summaries: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the judged snapshots of micro-batches, oldest first."""
    return [each for each in reversed(summaries) if "tidegate.verdict" in each]


def offsets(text: str) -> int:
    """Return how many messages lie before the offsets of a snapshot."""
    counted = 0
    for source in json.loads(text):
        for partitions in json.loads(source).values():
            counted += sum(partitions.values())
    return counted


def look(project: Project) -> int:
    """Assert that what readers see is whole micro-batches, each once; return how many.

    All of it is in the tables' metadata: rows and dead letters are as many as the offsets say.
    """
    history = project.table("lake.t.live").history()
    # Looked at second: dead letters come before their batch, and may be ahead of it.
    letters = project.table("lake.t.live__dead_letters").history()
    seen = batches(history)
    names = [(each["tidegate.stream"], int(each["tidegate.batch"])) for each in seen]
    assert names == sorted(set(names), key=names.index)
    for before, after in pairwise(seen):
        assert after["tidegate.offsets_from"] == before["tidegate.offsets_to"]
    if seen:
        ends = {each["tidegate.offsets_to"] for each in seen}
        dead = [each for each in batches(letters) if each["tidegate.offsets_to"] in ends]
        counted = int(dead[-1]["total-records"]) if dead else 0
        rows = int(history[0]["total-records"])
        assert rows + counted == offsets(seen[-1]["tidegate.offsets_to"])
    return len(seen)


class Reader(Thread):
    """Looks all the while."""

    def __init__(self, project: Project) -> None:
        super().__init__(daemon=True)
        self.project = project
        self.over = Event()
        self.looks = 0
        self.failed: BaseException | None = None

    def run(self) -> None:
        while not self.over.wait(0.2):
            try:
                look(self.project)
            except (AssertionError, ValueError, KeyError) as error:
                self.failed = error
                return
            self.looks += 1

    def check(self) -> None:
        assert self.failed is None, self.failed


@pytest.fixture
def reader(project: Project) -> Iterator[Reader]:
    made = Reader(project)
    made.start()
    yield made
    made.over.set()
    made.join()


@pytest.fixture
def cluster(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("cluster"), project.environment)
    yield started
    started.stop()


def end_of(attempt: Attempt, victim: str) -> None:
    if driver := attempt.process("driver"):
        with suppress(ProcessLookupError):
            driver.send_signal(signal.SIGCONT)
    if victim != "task":
        outcome = attempt.end()
        assert "result" in outcome or outcome.get("error") in LOST, outcome
    attempt.gone()


def audited(project: Project) -> dict[str, int]:
    project.start("audit", "audit").result()
    files = Path(project.root, "lake", "t", "audit", "data").rglob("*.parquet")
    (row,) = [row for file in files for row in pq.read_table(file).to_pylist()]
    return dict(row)


def at_every_step(project: Project) -> int:
    """Kill an attempt at every step of a publish; return how many attempts there were."""
    number = 0
    for step, victim in zip(STEPS.values(), OF_THE_ATTEMPT, strict=True):
        number += 1
        before = look(project)
        attempt = project.start("live", "r", number, TIDEGATE_STOP_AT=step)
        attempt.stopped()
        attempt.kill(victim)
        end_of(attempt, victim)
        assert look(project) == before + (step == "LetteredStaged.publish:end")
    return number


class Hunt:
    """Kills at random, of whatever a stream on a cluster lives by."""

    def __init__(self, project: Project, cluster: Cluster, broker: Broker, number: int) -> None:
        self.project = project
        self.cluster = cluster
        self.broker = broker
        self.number = number
        self.rng = Random(SEED)
        self.attempt = self.begin()
        self.done: list[str] = []

    def begin(self) -> Attempt:
        self.number += 1
        self.attempt = self.project.start("live", "r", self.number, **to(self.cluster))
        return self.attempt

    def kill(self, victim: str) -> None:
        """Kill once the stream has moved on, a while later; some attempt goes on behind it."""
        if not self.attempt.living():
            end_of(self.attempt, "nobody")
            self.begin()
        before = look(self.project)
        moved = lambda: look(self.project) > before or not self.attempt.living()  # noqa: E731
        # Among the micro-batches, and now and then before the first.
        if self.rng.random() < 0.8:
            until("a micro-batch", moved)
        time.sleep(self.rng.uniform(0, 3))
        strikes: dict[str, Callable[[], bool]] = {
            "executor": self.executor,
            "broker": self.restart,
        }
        struck = strikes.get(victim, lambda: self.strike(victim))()
        self.done.append(victim if struck else f"{victim}: gone")
        assert look(self.project) >= before

    def executor(self) -> bool:
        executor = self.cluster.executor()
        if executor is None:
            return False
        with suppress(ProcessLookupError):
            executor.send_signal(signal.SIGKILL)
        return True

    def restart(self) -> bool:
        self.broker.kill()
        time.sleep(self.rng.uniform(0, 2))
        self.broker.start()
        return True

    def strike(self, victim: str) -> bool:
        struck = False
        if self.attempt.process(victim):
            with suppress(AssertionError):  # it has ended by itself meanwhile
                self.attempt.kill(victim)
                struck = True
        end_of(self.attempt, victim)
        self.begin()
        return struck

    def end(self) -> dict[str, Any]:
        """Let the stream come to its end; return what the last attempt returned."""
        for _ in range(3):
            outcome = self.attempt.end()
            self.attempt.gone()
            if "result" in outcome:
                return dict(outcome["result"])
            assert outcome.get("error") in LOST, outcome
            self.begin()
        raise AssertionError(outcome)


def test_killed_at_every_step_and_at_random_every_message_is_there_once(
    project: Project, broker: Broker, cluster: Cluster, reader: Reader
) -> None:
    send(broker, 0, SLICE)
    hunt = Hunt(project, cluster, broker, at_every_step(project))
    for kill in range(KILLS):
        send(broker, SLICE * (kill + 1), SLICE * (kill + 2))
        # Each of the two that end no attempt comes first: few kills have them too.
        hunt.kill(VICTIMS[kill] if kill < 2 else hunt.rng.choice(VICTIMS))
        reader.check()
    send(broker, SLICE * (KILLS + 1), MESSAGES)
    hunt.end()
    # What was sent behind the last look of an attempt is the next one's.
    result = project.start("live", "r", hunt.number + 1).result()
    assert result["verdict"] in (None, "pass")
    look(project)
    reader.check()
    ids = [number for number in range(MESSAGES) if not is_bad(number)]
    dead = MESSAGES - len(ids)
    rows = {"rows": len(ids), "ids": len(ids), "total": sum(ids)}
    assert audited(project) == {**rows, "dead": dead, "letters": dead}
    refs = project.table("lake.t.live").refs() | project.table("lake.t.live__dead_letters").refs()
    assert refs == {"main"}
    told = ", ".join(hunt.done)
    (project.root / "told").write_text(
        f"{look(project)} micro-batches, {hunt.number + 1} attempts, {reader.looks} looks of a "
        f"reader, {MESSAGES} messages; killed: {told}\n"
    )
