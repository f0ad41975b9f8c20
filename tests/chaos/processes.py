"""One seed among real processes: what is killed, paused or crowded, and what readers see of it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import psutil
from tests.chaos.outcome import Outcome
from tests.system.stages import Attempt, Project

from tidegate.errors import BY_NAME
from tidegate.telling.advice import ADVICE

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

NUMBERS = {"numbers": {"path": "landing/numbers.csv", "schema": "n INT"}}

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    for task, mode in (("day", "replace"), ("log", "append")):
        BatchStageOperator(
            task_id=task, job="job.py", reads=NUMBERS, writes=f"lake.t.{task}", mode=mode,
            gate="real", partition=None if mode == "append" else {"ds": "{{ ds }}"},
        )
"""
ROWS = 3
REAL = {
    "type": "expect_table_row_count_to_equal",
    "kwargs": {"value": ROWS},
    "severity": "critical",
}
TRIES = 5
CROWD = 8
LOST = {"DriverLost", "ClusterUnavailable", "PublishError"}
"""What a task may say of a driver that was killed, or that a newer attempt has overtaken."""
EVENTS = (
    "driver JVM killed",
    "driver Python killed",
    "spark-submit killed",
    "task killed",
    "paused, overtaken, woken",
    "two attempts at once",
    "eight partitions at once",
)
_VICTIMS = {EVENTS[0]: "jvm", EVENTS[1]: "driver", EVENTS[3]: "task"}
_numbers = count(1)


class Yard:
    """A project with a worker, in which attempts are processes; seeds run one after the other."""

    def __init__(self, folder: Path) -> None:
        self._project = Project(folder)
        self._project.write("dags/days.py", DAG)
        self._project.write("spark_jobs/job.py", "def run(numbers):\n    return numbers\n")
        self._project.write("landing/numbers.csv", "n\n1\n2\n3\n")
        self._project.suite("real", REAL)
        self._long = 0.0

    def __enter__(self) -> "Yard":
        self._project.__enter__()
        # Both tables are there from here on, and how long an attempt takes is known.
        for task in ("log", "day"):
            began = time.monotonic()
            self._project.start(task, "first", ds="2012-12-31").result()
            self._long = time.monotonic() - began
        return self

    def __exit__(self, *given: object) -> None:
        self._project.__exit__(*given)

    def run(self, seed: int, rng: Random, event: str) -> Outcome:
        """Run one seed."""
        task = rng.choice(("day", "log"))
        outcome = Outcome(seed, event, task)
        happening = Happening(self._project, outcome, task, rng.uniform(0, self._long))
        if event in EVENTS[:4]:
            happening.killed(_VICTIMS.get(event, "spark-submit"))
        elif event == EVENTS[4]:
            happening.overtaken()
        elif event == EVENTS[5]:
            happening.twice()
        else:
            happening.crowded()
        return outcome


class Happening:
    """One event among processes: its attempts, and what readers see before, between and after."""

    def __init__(self, project: Project, outcome: Outcome, task: str, moment: float) -> None:
        self._project, self._outcome, self._task = project, outcome, task
        self._moment = moment
        self._number = next(_numbers)
        self._table = project.table(f"lake.t.{task}")
        self._before = self._table.rows()
        outcome.moment = f"{moment:.1f} s ({task})"

    @property
    def _run(self) -> str:
        return f"run-{self._number}"

    def killed(self, victim: str) -> None:
        """Kill one process at the seed's moment; nothing lives on, and the retry publishes."""
        attempt = self._start(1)
        self._wait(attempt)
        killed = _victim(attempt, victim)
        if killed is not None:
            with suppress(psutil.NoSuchProcess):
                killed.send_signal(signal.SIGKILL)
        self._outcome.happened.append(f"{victim} killed" if killed else f"no {victim} there")
        self._ended(attempt, LOST, killed=victim == "task")
        self._is_gone(attempt)
        self._readers_see_all_or_nothing()
        self._retried(2)

    def overtaken(self) -> None:
        """Pause all of an attempt but its task, let the retry end, and wake it."""
        attempt = self._start(1)
        self._wait(attempt)
        paused = [each for each in attempt.living() if each.pid != attempt.pid]
        _signal(paused, signal.SIGSTOP)
        self._outcome.happened.append(f"{len(paused)} processes paused")
        self._retried(2)
        seen = self._table.main(), self._table.rows()
        _signal(paused, signal.SIGCONT)
        self._ended(attempt, LOST)
        self._is_gone(attempt)
        self._outcome.require(
            seen == (self._table.main(), self._table.rows()), "who was overtaken changed the table"
        )
        self._end()

    def twice(self) -> None:
        """Start two attempts of one task so that they get into each other's way."""
        first = self._start(1)
        self._wait(first)
        second = self._start(2)
        through = [self._ended(each, LOST) for each in (first, second)]
        for each in (first, second):
            self._is_gone(each)
        self._readers_see_all_or_nothing()
        if not any(through):
            self._retried(3)
        self._end()

    def crowded(self) -> None:
        """Start eight partitions of one table at once; each is there once in the end."""
        days = [f"2{self._number:03}-01-0{day}" for day in range(1, CROWD + 1)]
        waiting = {day: self._start(1, day) for day in days}
        number = 1
        while waiting and number < TRIES:
            number += 1
            failed = [day for day, each in waiting.items() if not self._ended(each, LOST)]
            waiting = {day: self._start(number, day) for day in failed}
        self._outcome.require(not waiting, f"never published: {sorted(waiting)}")
        self._end(CROWD)

    def _start(self, number: int, day: str | None = None) -> Attempt:
        ds = day or f"1{self._number:03}-01-01"
        run = f"{self._run}-{day}" if day else self._run
        return self._project.start(self._task, run, number, ds=ds)

    def _wait(self, attempt: Attempt) -> None:
        """Wait for the seed's moment, and look at what readers see until then."""
        until = time.monotonic() + self._moment
        while time.monotonic() < until and attempt.living():
            self._readers_see_all_or_nothing()
            time.sleep(0.02)

    def _retried(self, number: int) -> None:
        """Retry until it goes through, as Airflow does."""
        while not self._ended(attempt := self._start(number), LOST) and number < TRIES:
            self._is_gone(attempt)
            number += 1
        self._is_gone(attempt)
        left = [file.name for file in attempt.folder.glob(".*")]
        self._outcome.require(not left, f"the retry leaves {left}")
        self._end()

    def _ended(self, attempt: Attempt, may: set[str], killed: bool = False) -> bool:
        """Note how an attempt ended; return whether it went through."""
        if killed:
            return False
        outcome = attempt.end()
        error = outcome.get("error")
        self._outcome.happened.append(error or "published")
        if error:
            known = error in BY_NAME and ADVICE[BY_NAME[error]].delay is not None
            text = f"{error}: {outcome['text'][:200]}"
            self._outcome.require(known and error in may, f"ended with {text}")
            self._outcome.told_last = text
        return not error

    def _is_gone(self, attempt: Attempt) -> None:
        try:
            attempt.gone()
        except AssertionError as left:
            self._outcome.faults.append(str(left)[:300])

    def _readers_see_all_or_nothing(self) -> None:
        rows = self._table.rows()
        whole = rows in {self._before, self._before + ROWS}
        self._outcome.require(whole, f"readers see {rows} rows, there were {self._before}")
        head = self._table.history()[0]
        self._outcome.require("tidegate.verdict" in head, f"readers see no verdict: {head}")

    def _end(self, times: int = 1) -> None:
        require, table = self._outcome.require, self._table
        rows, expected = table.rows(), self._before + times * ROWS
        require(rows == expected, f"in the end there are {rows} rows, not {expected}")
        require(table.refs() == {"main"}, f"refs are left: {sorted(table.refs())}")
        published = sum(1 for _ in self._verdicts())
        require(published == times, f"published {published} times, not {times}")
        sidecars = list(self._project.root.glob("lake/t/*__staged*"))
        require(not sidecars, f"left behind: {sidecars}")

    def _verdicts(self) -> Iterator[dict[str, str]]:
        for summary in self._table.history():
            run = summary.get("tidegate.run_id", "")
            if f"{run}-".startswith(f"{self._run}-") and "tidegate.verdict" in summary:
                yield summary


def _victim(attempt: Attempt, role: str) -> psutil.Process | None:
    """Return the process to kill; of spark-submit, whatever it is at that moment."""
    if role != "spark-submit":
        return attempt.process(role)
    for each in attempt.living():
        with suppress(psutil.Error):
            if each.ppid() == attempt.pid:
                return each
    return None


def _signal(processes: list[psutil.Process], number: int) -> None:
    for each in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(each.pid, number)
