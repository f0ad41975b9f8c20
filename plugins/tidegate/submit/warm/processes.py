"""The processes that a keeper deals with: the driver that it started, and who it lives for."""

import ctypes
import os
import selectors
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from time import strftime

GRACE_SECONDS = 10
BUSY = "busy"
"""A keeper's answer to who would be served, were it not for somebody else."""
_PR_SET_PDEATHSIG = 1


class SparkSubmit:
    """A spark-submit in a session of its own, whose JVM leads it."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None
        self.output = -1
        self.pid = 0

    def start(self, command: Sequence[str], folder: str) -> None:
        """Start it; its output can be read from :attr:`output`."""
        self._process = Popen(
            command,
            cwd=folder,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # there is one thread only
        )
        self.pid = self._process.pid
        if self._process.stdout is not None:
            self.output = self._process.stdout.fileno()

    def wait(self, seconds: float) -> int | None:
        """Return its exit code, or None if it has none by then."""
        if self._process is None:
            return None
        with suppress(TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def end(self) -> None:
        """End it and everything it started: asked first, then killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.pid and self.wait(0) is None:
                os.killpg(self.pid, number)
                self.wait(GRACE_SECONDS)


class Parents:
    """Watches every process that a task descends from: its worker, its scheduler, its service."""

    def __init__(self, events: selectors.BaseSelector) -> None:
        self._events = events
        self._watched: list[int] = []
        self.are_lost = False
        """Whether one of them has ended."""

    def follow(self, task: int) -> None:
        """Watch the processes above ``task``, and no others."""
        self._forget()
        self.are_lost = False
        try:
            for pid in ancestors(task):
                watched = os.pidfd_open(pid)
                self._watched.append(watched)
                self._events.register(watched, selectors.EVENT_READ, self._lose)
        except ProcessLookupError:  # it has just ended
            self._lose()

    def _lose(self) -> None:
        self.are_lost = True
        self._forget()

    def _forget(self) -> None:
        for watched in self._watched:
            self._events.unregister(watched)
            os.close(watched)
        self._watched = []


def ancestors(pid: int) -> Iterator[int]:
    """Yield the processes above ``pid``, but for the machine's first."""
    while (pid := _parent_of(pid)) > 1:
        yield pid


def say(text: str) -> None:
    """Say what happens, in a file beside the door."""
    with suppress(OSError):  # a full disk
        print(strftime("%H:%M:%S"), text, flush=True)  # noqa: T201


def _parent_of(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended
        return 0
    # After the program's name, which may hold anything: state, parent, …
    return int(text.rpartition(")")[2].split()[1])


def _end_with_parent() -> None:
    # SIGTERM, for the JVM to clean its folders up.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
