"""One seed inside one session: a stage, an event between two of its steps, then its retries."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from pyspark.sql import SparkSession
from tests.chaos.ground import Ground, Rows
from tests.chaos.outcome import Outcome
from tests.chaos.strangers import Event, Killed

from tidegate.contract import Report
from tidegate.driver.record import Record
from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.writes import Place
from tidegate.errors import BY_NAME
from tidegate.telling.advice import ADVICE

MOMENTS = ("job", "write", "gate", "publish", "the commit of the publish")
"""Before which step of the attempt the event comes; all of them are behind its fence."""
NOON_MS = 1_700_000_000_000
MINUTE_MS = 60_000
TRIES = 4


@contextmanager
def before(moment: str, act: Callable[[], object]) -> Iterator[None]:
    """Let something happen, once, just before a step of the attempt that runs inside."""
    step, commit, waiting = Record.step, BranchedTable.publish, [act]

    def come(name: str) -> None:
        if name == moment and waiting:
            waiting.pop()()

    def stepped(record: Record, name: str) -> AbstractContextManager[None]:
        come(name)
        return step(record, name)

    def committed(table: BranchedTable, *given: Any) -> int:
        come(MOMENTS[-1])
        return commit(table, *given)

    with patch.object(Record, "step", stepped), patch.object(BranchedTable, "publish", committed):
        yield


def attempted(ground: Ground, number: int, at_ms: int) -> tuple[str, Report | None]:
    """Run one try; return how it ended: an outcome, a class of failure, or ``killed``."""
    try:
        report = ground.attempt(number, at_ms)
    except Killed:
        return "killed", None
    return (report.failure.type if report.failure else report.outcome), report


class Night:
    """One seed, from the stage's first try to the last."""

    def __init__(self, ground: Ground, seed: int, event: Event, moment: str) -> None:
        self._ground, self._event, self._moment = ground, event, moment
        self.outcome = Outcome(seed, event.name, f"before {moment} ({ground.shape})")
        self._before: Rows = ground.rows()
        self._after: Rows = self._before

    def run(self) -> Outcome:
        """Let the event come, look at what readers see, then retry and look again."""
        with before(self._moment, self._happen), _undone_by_a_kill(self._event):
            ended, report = attempted(self._ground, 1, NOON_MS)
        self._note(ended, report)
        self.outcome.require(
            ended in {"published", *self._event.may}, f"the first try ended with {ended}"
        )
        if self._event.mend:
            self._event.mend(self._ground)
        self._first_is_sound(ended)
        number = 1
        cleared = self._event.mend is not None and ended != "published"
        while (_is_retried(ended) or cleared) and number < TRIES:
            cleared = False
            number += 1
            at = NOON_MS + number * MINUTE_MS - self._event.clock_ms
            ended, report = attempted(self._ground, number, at)
            self._note(ended, report)
        self._last_is_sound(ended)
        return self.outcome

    def _happen(self) -> None:
        try:
            self._event.act(self._ground)
        finally:
            with suppress(Exception):
                self._after = self._ground.rows()

    def _note(self, ended: str, report: Report | None) -> None:
        self.outcome.happened.append(ended)
        if report and report.failure and not BY_NAME.get(report.failure.type):
            self.outcome.faults.append(f"{report.failure.type} is none of tidegate's errors")
        if report and report.outcome == "held" and report.judgement:
            raised = [each.exception for each in report.judgement.expectations if each.exception]
            self.outcome.told_last = f"expectations raised: {raised}"
        if report and report.failure:
            self.outcome.told_last = f"{report.failure.type}: {report.failure.message[:300]}"

    def _first_is_sound(self, ended: str) -> None:
        ground, require = self._ground, self.outcome.require
        seen, both = ground.rows(), ground.with_ours(self._after)
        if ended == "published":
            require(seen == both, f"published, and readers {differ(seen, both)}")
            buried = ground.in_our_way(self._before, self._after)
            require(not buried, "published over a change that it was not judged beside")
        else:
            require(seen == self._after, f"{ended}, and readers {differ(seen, self._after)}")

    def _last_is_sound(self, ended: str) -> None:
        ground, require = self._ground, self.outcome.require
        through = ended == "published"
        require(through or ended in self._event.end, f"the last try ended with {ended}")
        expected = ground.with_ours(self._after) if through else self._after
        seen = ground.rows()
        require(seen == expected, f"in the end readers {differ(seen, expected)}")
        require(not ground.staged(token=False), f"branches are left: {ground.staged(False)}")
        if through:
            require(not ground.staged(token=True), f"tokens are left: {ground.staged(True)}")
            require("tidegate.verdict" in ground.head(), f"readers see no verdict: {ground.head()}")
        require(not ground.leftovers(), f"left behind: {ground.leftovers()}")


def differ(seen: Rows, expected: Rows) -> str:
    """Say in short how what readers see differs from what they should."""
    more, less = sorted((seen - expected).elements()), sorted((expected - seen).elements())
    return f"see {len(more)} rows too many {more[:3]}, miss {len(less)} {less[:3]}"


def _is_retried(ended: str) -> bool:
    failure = BY_NAME.get(ended)
    return ended == "killed" or (failure is not None and ADVICE[failure].delay is not None)


@contextmanager
def _undone_by_a_kill(event: Event) -> Iterator[None]:
    """Have a killed attempt clean nothing up: a process that is gone does not either."""
    if "killed" not in event.may:
        yield
        return
    with patch.object(Place, "discard", lambda place: None):
        yield


def small_disk(folder: Path) -> Path | None:
    """Mount a disk of eight megabytes; None where this user may not."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False)
    return folder if done.returncode == 0 else None


class Session:
    """One Spark session in which seeds run one after the other, with a small disk beside."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark, self._folder = spark, folder
        self._disk = small_disk(folder / "disk")
        if self._disk:
            spark.conf.set("spark.sql.catalog.small", "org.apache.iceberg.spark.SparkCatalog")
            spark.conf.set("spark.sql.catalog.small.type", "hadoop")
            spark.conf.set("spark.sql.catalog.small.warehouse", str(self._disk))

    def close(self) -> None:
        """Give the small disk back."""
        if self._disk:
            subprocess.run(["umount", "-l", str(self._disk)], check=False)

    def run(self, seed: int, rng: Random, event: Event) -> Outcome:
        """Run one seed."""
        moment = rng.choice(MOMENTS)
        if event.disk and not self._disk:
            return Outcome(seed, event.name, "-", ["skipped: this user may mount no small disk"])
        catalog = "small" if event.disk else "lake"
        ground = Ground(self._spark, self._folder, rng, catalog)
        try:
            return Night(ground, seed, event, moment).run()
        finally:
            ground.sql(f"DROP TABLE IF EXISTS {ground.name} PURGE")
