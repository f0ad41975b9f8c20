"""A driver that serves one attempt after another, each in a process and a Spark session of its own.

``spark-submit tidegate_driver.py --warm <socket>`` starts this instead of an attempt. It imports
what attempts need and never talks to the JVM itself: it forks, and what runs in a fork is gone with
it: modules, variables, ``sys.path``, patches, threads. Between two attempts another fork tidies the
JVM up. A trace that cannot be taken away ends the driver: the next attempt starts cold.
"""

import importlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from tidegate.contract import StageSpec, Suite
from tidegate.driver import gate
from tidegate.driver.__main__ import receive, run
from tidegate.driver.jvm.shared import (
    attach,
    file_systems,
    keep_root,
    newest_object,
    next_stage,
    scratch_of,
    tidy,
    traces,
    used_mib,
)
from tidegate.driver.session import configured, die_with_parent
from tidegate.frames import Frames, is_ours, tell

MOST_STAGES = 200
"""After so many a driver is replaced: a leak that nobody has found stays small."""
MOST_STAGES_ELSEWHERE = 25
"""The same where executors are no part of the driver: each attempt leaves an idle Python there."""
MOST_GROWTH_MIB = 256
"""How much a driver may hold beyond what it held after its first attempt: code that is compiled and
caches of Spark's UI stay below it; what does not is a leak."""
_CANCELLED = 75
_SUITE = Suite(name="any", document={"expectations": [{}]})

Work = Callable[[int, int], int]


def wait(door: Path) -> int:
    """Serve the attempts that come through the keeper's door; return an exit code."""
    keeper = socket.socket(socket.AF_UNIX)
    keeper.connect(str(door))
    if not is_ours(keeper):
        return _CANCELLED
    frames = Frames(keeper)
    frames.message()  # its greeting, which is for tasks
    tell(keeper, {"said": "here"})
    return Driver(keeper, frames).serve()


@dataclass
class Driver:
    """Waits for its next attempt, as long as none has failed."""

    keeper: socket.socket
    frames: Frames
    _found: Mapping[str, Any] = field(default_factory=dict)
    _served: int = 0
    _mib: int = 0
    _first_mib: int = 0

    def serve(self) -> int:
        """Serve one attempt after another until one fails, or the keeper has gone."""
        asked = self.frames.message()
        self._start(asked)
        attempt = Fork(self._attempt)
        while True:
            code = self._serve_one(attempt, asked)
            if code:
                return code
            # Before anybody may come: importing takes longer than a task waits for an answer.
            gate.preload(_SUITE)
            why = self._why_not_again()
            if not why:
                # It waits where an attempt begins: what it does until then, no task waits for.
                attempt = Fork(self._attempt)
                attempt.is_ready()
            tell(self.keeper, {"said": "swept", "why": why, "mib": self._mib})
            try:
                asked = self.frames.message()
            except OSError:  # the keeper wants no more of it
                return 0

    def _start(self, asked: Mapping[str, Any]) -> None:
        """Have a fork start the application, and import meanwhile what attempts need."""
        text = Path(asked["spec"]).read_text(encoding="utf-8")
        spec = StageSpec.from_json(text)
        begun = Fork(lambda _, out: _begin(spec, out))
        gate.preload(spec.suite)
        self._found = begun.answer() or {}

    def _serve_one(self, attempt: "Fork", asked: Mapping[str, Any]) -> int:
        """Run one attempt in its process; return its exit code."""
        said = "failed"
        if attempt.is_ready():
            said = "ready"
        tell(self.keeper, {"said": said})
        # Only now: a task that has not been told of its driver in time has started another.
        end = self.frames.message()["end"]
        attempt.ask({"spec": asked["spec"], "variables": asked["variables"]})
        code = attempt.exit_code()
        self._served += 1
        if code == 0:
            _end_leftovers()
            # By the way that the attempt's own prints take: nothing that follows is its own.
            print(end, flush=True)  # noqa: T201
            tell(self.keeper, {"said": "ended", "code": code})
        return code

    def _attempt(self, orders: int, answers: int) -> int:
        """Be an attempt: attach to the application, wait to be asked, and run."""
        spark = None
        first_stage = 0
        if self._found:
            spark = attach()
            first_stage = next_stage(spark)
        os.write(answers, b"r")
        os.close(answers)
        with open(orders, encoding="utf-8") as asking:
            text = asking.read()
        if not text:
            return _CANCELLED
        asked = json.loads(text)
        os.environ.update(asked["variables"])
        importlib.invalidate_caches()
        _reseed()
        if spark is None:
            return run(receive(Path(asked["spec"])))
        _renew_workers(spark, asked["variables"])
        code = run(receive(Path(asked["spec"])), first_stage)
        shutil.rmtree(scratch_of(spark), ignore_errors=True)  # what is left goes with the JVM
        return code

    def _why_not_again(self) -> str:
        """Tidy up; return why no other attempt may come, or nothing."""
        if not self._found or not _leads_its_session():
            return "not everything about its start is known"
        told = Fork(lambda _, out: _sweep(self._found, out)).answer()
        if told is None:
            return "it could not be tidied up"
        changed = self._found["traces"].items() ^ told["traces"].items()
        if changed:
            return f"its last stage changed {', '.join(sorted(dict(changed)))}"
        self._mib = told["mib"] + own_mib()
        self._first_mib = self._first_mib or self._mib
        most = MOST_STAGES
        if not self._found["is_local"]:
            most = MOST_STAGES_ELSEWHERE
        return why_replaced(self._served, most, self._mib - self._first_mib)


def why_replaced(served: int, most: int, grown_mib: int) -> str:
    """Return why a driver that all is well with is replaced, or nothing."""
    if grown_mib > MOST_GROWTH_MIB:
        return f"it has grown by {grown_mib} MiB"
    if served >= most:
        return f"it has served {served} stages"
    return ""


class Fork:
    """A process that does some work and ends; it dies with this one.

    :param work: is given the pipes of its orders and of its answers; returns an exit code.
    """

    def __init__(self, work: Work) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._has_begun = False
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._orders)
            os.close(self._answers)
            die_with_parent()
            if os.getppid() != parent:  # it died before it could be said to die with it
                sys.exit(_CANCELLED)
            sys.exit(work(orders, answers))
        os.close(orders)
        os.close(answers)

    def is_ready(self) -> bool:
        """Wait for the first byte of its answers; tell whether it came and the process lives."""
        self._has_begun = self._has_begun or bool(os.read(self._answers, 1))
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return self._has_begun and ended is None

    def ask(self, order: Mapping[str, Any]) -> None:
        """Give it its only order."""
        text = json.dumps(order).encode()
        with suppress(BrokenPipeError):  # it has died, which its exit code tells
            os.write(self._orders, text)
        os.close(self._orders)

    def exit_code(self) -> int:
        """Wait for its end; return its exit code as a shell tells it."""
        os.close(self._answers)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if code < 0:
            return 128 - code
        return code

    def answer(self) -> dict[str, Any] | None:
        """Wait for its end; return what it answered, or None if it failed."""
        os.close(self._orders)
        with open(self._answers, closefd=False, encoding="utf-8") as told:
            text = told.read()
        if self.exit_code() or not text:
            return None
        found: dict[str, Any] = json.loads(text)
        return found


def _answered(out: int, answer: Mapping[str, Any]) -> None:
    with open(out, "w", encoding="utf-8") as told:
        json.dump(answer, told)


def _begin(spec: StageSpec, out: int) -> int:
    """Start the application; answer what must stay as it is then."""
    spark = configured("tidegate", spec.conf)
    keep_root(spark)
    with suppress(Py4JError):  # nothing is known of its start: it serves one attempt, and ends
        found = {"traces": traces(spark), "file systems": list(file_systems(spark))}
        _answered(out, {**found, "is_local": _is_local(spark)})
    return 0


def _sweep(found: Mapping[str, Any], out: int) -> int:
    """Tidy the application up; answer what it is like now."""
    newest = newest_object()
    spark = attach()
    tidy(spark, newest, found["file systems"])
    _answered(out, {"traces": traces(spark), "mib": used_mib(spark)})
    return 0


def _renew_workers(spark: SparkSession, variables: Mapping[str, str]) -> None:
    """Have the attempt's Python workers started anew: those of others hold what they imported."""
    spark.sparkContext.environment["TIDEGATE_ATTEMPT"] = token_hex()
    if _is_local(spark):
        spark.sparkContext.environment.update(variables)


def _is_local(spark: SparkSession) -> bool:
    return str(spark.sparkContext.master).startswith("local")


def own_mib() -> int:
    """Return the memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _leads_its_session() -> bool:
    """Tell whether the JVM above leads the session, as it does where the keeper has started it."""
    return os.getsid(0) == os.getppid()


def _end_leftovers() -> None:
    """Kill what attempts have started and not ended: Python workers, and a job's own processes."""
    if not _leads_its_session():
        return
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(ProcessLookupError, PermissionError):  # it has ended, or is another's
            if pid not in (os.getpid(), os.getppid()) and os.getsid(pid) == os.getsid(0):
                os.kill(pid, signal.SIGKILL)


def _reseed() -> None:
    # Python's own generator does so by itself; NumPy's would give each attempt the same numbers.
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


if __name__ == "__main__":
    die_with_parent()
    sys.exit(wait(Path(sys.argv[2])))
