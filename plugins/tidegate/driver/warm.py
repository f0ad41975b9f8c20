"""A driver that serves one attempt after another, each in a process and a Spark session of its own.

``spark-submit tidegate_driver.py --warm <socket>`` starts this instead of an attempt. It imports
what attempts need and never talks to the JVM itself: it forks, and what runs in a fork is gone with
it: modules, variables, ``sys.path``, patches, threads. Between two attempts another fork tidies the
JVM up. A trace that cannot be taken away ends the driver: the next attempt starts cold.
"""

import importlib
import json
import os
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

from tidegate.contract import StageSpec, Suite
from tidegate.driver import gate
from tidegate.driver.__main__ import receive, run
from tidegate.driver.jvm.shared import (
    attach,
    keep_root,
    newest_object,
    next_stage,
    tidy,
    traces,
    used_mib,
)
from tidegate.driver.session import configured, die_with_parent
from tidegate.frames import Frames, is_ours, tell

MOST_STAGES = 100
"""After so many a driver is replaced: a leak that nobody has found stays small."""
MOST_GROWTH_MIB = 256
"""How much the JVM may grow over what it held after its first attempt: code that is compiled and
caches of Spark's UI stay below it; what does not is a leak."""
_CANCELLED = 75
_SUITE = Suite(name="any", document={"expectations": [{}]})

Work = Callable[[int], None]


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
    _has_started: bool = False
    _traces: Mapping[str, str] = field(default_factory=dict)
    _served: int = 0
    _mib: int = 0
    _first_mib: int = 0

    def serve(self) -> int:
        """Serve one attempt after another until one fails, or the keeper has gone."""
        asked = self.frames.message()
        self._start(asked)
        code = self._serve_one(asked)
        while code == 0:
            # Before anybody may come: importing takes longer than a task waits for an answer.
            gate.preload(_SUITE)
            why = self._why_not_again()
            tell(self.keeper, {"said": "swept", "why": why, "mib": self._mib})
            try:
                asked = self.frames.message()
            except OSError:  # the keeper wants no more of it
                return 0
            code = self._serve_one(asked)
        return code

    def _start(self, asked: Mapping[str, Any]) -> None:
        """Have a fork start the application, and import meanwhile what attempts need."""
        text = Path(asked["spec"]).read_text(encoding="utf-8")
        spec = StageSpec.from_json(text)
        begun = Fork(lambda out: _begin(spec, out))
        gate.preload(spec.suite)
        if told := begun.answer():
            self._has_started = True
            self._traces = told["traces"]

    def _serve_one(self, asked: Mapping[str, Any]) -> int:
        """Run one attempt in a process of its own; return its exit code."""
        begin, go = os.pipe()
        attempt = Fork(lambda out: self._attempt(asked, begin, out), go)
        os.close(begin)
        said = "failed"
        if attempt.first():
            said = "ready"
        tell(self.keeper, {"said": said})
        # Only now: a task that has not been told of its driver in time has started another.
        end = self.frames.message()["end"]
        os.write(go, b"g")
        os.close(go)
        code = attempt.exit_code()
        self._served += 1
        if code == 0:
            _end_leftovers()
            # By the way that the attempt's own prints take: nothing that follows is its own.
            print(end, flush=True)  # noqa: T201
            tell(self.keeper, {"said": "ended", "code": code})
        return code

    def _attempt(self, asked: Mapping[str, Any], begin: int, out: int) -> None:
        os.environ.update(asked["variables"])
        importlib.invalidate_caches()
        _reseed()
        first_stage = 0
        if self._has_started:
            spark = attach()
            first_stage = next_stage(spark)
            # Its Python workers are started anew, as those of others hold what they imported.
            spark.sparkContext.environment["TIDEGATE_ATTEMPT"] = token_hex()
            if str(spark.sparkContext.master).startswith("local"):
                spark.sparkContext.environment.update(asked["variables"])
        os.write(out, b"r")
        os.close(out)
        if os.read(begin, 1):
            sys.exit(run(receive(Path(asked["spec"])), first_stage))
        sys.exit(_CANCELLED)

    def _why_not_again(self) -> str:
        """Tidy up; return why no other attempt may come, or nothing."""
        if not self._traces or not _leads_its_session():
            return "not everything about its start is known"
        told = Fork(_sweep).answer()
        if told is None:
            return "it could not be tidied up"
        changed = self._traces.items() ^ told["traces"].items()
        if changed:
            return f"its last stage changed {', '.join(sorted(dict(changed)))}"
        self._mib = told["mib"]
        self._first_mib = self._first_mib or self._mib
        if self._mib - self._first_mib > MOST_GROWTH_MIB:
            return f"it has grown to {self._mib} MiB"
        if self._served >= MOST_STAGES:
            return f"it has served {self._served} stages"
        return ""


class Fork:
    """A process that does some work and ends; it dies with this one.

    :param work: is given the pipe by which it answers.
    :param shut: a descriptor that is none of its business.
    """

    def __init__(self, work: Work, shut: int | None = None) -> None:
        self._told, out = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._told)
            die_with_parent()
            if os.getppid() != parent:  # it died before it could be said to die with it
                sys.exit(_CANCELLED)
            if shut is not None:
                os.close(shut)
            work(out)
            sys.exit(0)
        os.close(out)

    def first(self) -> bytes:
        """Return the first byte of the answer; none if it ended without."""
        return os.read(self._told, 1)

    def exit_code(self) -> int:
        """Wait for its end; return its exit code as a shell tells it."""
        os.close(self._told)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if code < 0:
            return 128 - code
        return code

    def answer(self) -> dict[str, Any] | None:
        """Wait for its end; return what it answered, or None if it failed."""
        with open(self._told, closefd=False, encoding="utf-8") as told:
            text = told.read()
        if self.exit_code() or not text:
            return None
        found: dict[str, Any] = json.loads(text)
        return found


def _answered(out: int, answer: Mapping[str, Any]) -> None:
    with open(out, "w", encoding="utf-8") as told:
        json.dump(answer, told)


def _begin(spec: StageSpec, out: int) -> None:
    """Start the application; answer what must stay as it is then."""
    spark = configured("tidegate", spec.conf)
    keep_root(spark)
    found: Mapping[str, str] = {}
    with suppress(Py4JError):  # nothing is known of its start: it serves one attempt, and ends
        found = traces(spark)
    _answered(out, {"traces": found})


def _sweep(out: int) -> None:
    """Tidy the application up; answer what it is like now."""
    newest = newest_object()
    spark = attach()
    tidy(spark, newest)
    _answered(out, {"traces": traces(spark), "mib": used_mib(spark)})


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
