"""Keeps one driver for the attempts after its first: a process that outlives the task it began in.

It starts spark-submit, hands the attempts that come through its door to the driver, one at a time,
and Spark's output back to their tasks. It ends the driver, and itself, when an attempt fails or its
task is gone, when nobody comes for a while, and when a process ends that its last task came from.
"""

import hmac
import os
import selectors
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from tidegate.frames import Frames, is_ours, peer, pour, tell
from tidegate.submit.warm.processes import BUSY, GRACE_SECONDS, Parents, SparkSubmit, say
from tidegate.submit.warm.share import Share

_TIDYING_SECONDS = 60
_DEAF_SECONDS = 300
"""After so long without reading a byte, a task is taken for gone."""
_PIECE = 64 * 1024


class _Over(Exception):
    """The driver has no future; the text says why."""


class _Visitor:
    """Somebody who came through the door: the driver, or an attempt's task."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_DEAF_SECONDS)
        self.connection = connection
        self.frames = Frames(connection)
        self.pid = peer(connection)[0]
        self.asked: dict[str, Any] = {}

    def tell(self, **message: Any) -> None:
        with suppress(OSError):  # it has gone, which is noticed where it is listened to
            tell(self.connection, message)


class Keeper:
    """One driver and whom it serves.

    :param order: what to start, and how what is equal to it is known.
    :param first: the first attempt's task.
    """

    def __init__(self, order: dict[str, Any], first: _Visitor) -> None:
        self._order = order
        self._events = selectors.DefaultSelector()
        self._door = Path(order["door"])
        self._served = 0
        self._phase = "new"
        self._deadline = inf
        self._ended_at = monotonic()
        self._keep_seconds = 0.0
        self._driver: _Visitor | None = None
        self._visitor: _Visitor | None = first
        first.asked = order["first"]
        self._next: _Visitor | None = None  # who waits until the driver is tidied up
        self._code: int | None = None
        self._mark = ""
        self._driver_says: dict[str, Callable[[dict[str, Any]], None]] = {
            "ready": self._ready,
            "ended": self._ended,
            "swept": self._rest,
        }
        self._parents = Parents(self._events)
        self._process = SparkSubmit()
        self._share = Share(lambda data: pour(self._visiting().connection, data))

    def keep(self) -> None:
        """Start the driver, and keep it as long as it is good for something."""
        try:
            self._open()
            while True:
                self._wait()
        except (_Over, OSError) as over:
            say(f"over: {over}")
        finally:
            self._end()

    def _open(self) -> None:
        self._door.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self._door))  # in a folder that nobody else enters
        self._door.chmod(0o600)
        listening.listen()
        visitor = self._visiting()
        self._on(listening, lambda: self._enter(listening))
        self._on(visitor.connection, lambda: self._hear(visitor))
        self._offer()

    def _wait(self) -> None:
        seconds = min(self._deadline - monotonic(), _DEAF_SECONDS)
        for key, _ in self._events.select(max(seconds, 0)):
            # What one event has closed, the next of the same round may be about.
            if key.fileobj in self._events.get_map():
                key.data()
        if self._parents.are_lost and self._visitor is None:
            # Not while an attempt runs: its task is listened to, and may outlive a login shell.
            raise _Over("a process has ended that its tasks came from")
        if monotonic() >= self._deadline:
            self._expire()

    def _expire(self) -> None:
        if self._phase == "ending":
            self._share.finish()  # its last words are lost; its exit code is not
            self._close_visit()
            return
        raise _Over(f"nothing came of {self._phase}")

    def _on(self, source: Any, act: Callable[[], None]) -> None:
        self._events.register(source, selectors.EVENT_READ, act)

    def _visiting(self) -> _Visitor:
        if self._visitor:
            return self._visitor
        raise _Over("nobody is being served")

    # --- who comes through the door ---

    def _enter(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        if not is_ours(connection):
            connection.close()
            return
        visitor = _Visitor(connection)
        visitor.tell(salt=self._order["salt"])
        self._on(connection, lambda: self._hear(visitor))

    def _hear(self, visitor: _Visitor) -> None:
        try:
            for message in visitor.frames.read():
                if isinstance(message, dict):
                    self._take(visitor, message)
        except OSError:
            self._leave(visitor)

    def _leave(self, visitor: _Visitor) -> None:
        self._events.unregister(visitor.connection)
        visitor.connection.close()
        if visitor is self._visitor:
            raise _Over("the task of its attempt has gone")
        if visitor is self._next:
            self._next = None

    def _take(self, visitor: _Visitor, message: dict[str, Any]) -> None:
        if visitor is self._driver:
            self._driver_says.get(message["said"], _fail)(message)
        elif message.get("said") == "here" and self._is_driver(visitor):
            self._driver = visitor
            self._ask_driver()
        elif "start" in message:
            visitor.asked = message
            self._ask(visitor)
        elif message.get("go") and visitor is self._visitor and self._phase == "offered":
            self._go()

    def _is_driver(self, visitor: _Visitor) -> bool:
        return self._driver is None and os.getsid(visitor.pid) == self._process.pid

    # --- one attempt after another ---

    def _ask(self, visitor: _Visitor) -> None:
        equal = hmac.compare_digest(str(visitor.asked["start"]), self._order["start"])
        if not equal:
            say("refused: another start")
            visitor.tell(refused="another start")
        elif self._phase == "idle":
            self._visitor = visitor
            self._phase = "asked"
            self._deadline = monotonic() + GRACE_SECONDS
            self._ask_driver()
        elif self._phase == "tidying" and self._next is None:
            self._next = visitor
        else:
            visitor.tell(refused=BUSY)

    def _ask_driver(self) -> None:
        asked = self._visiting().asked
        self._tell_driver(spec=asked["spec"], variables=asked["variables"])

    def _tell_driver(self, **message: Any) -> None:
        if self._driver is not None:
            self._driver.tell(**message)

    def _ready(self, _: dict[str, Any]) -> None:
        if self._phase == "starting":  # its task has said go already
            self._work()
        else:
            self._offer()

    def _offer(self) -> None:
        """Promise the driver to a task, which may have waited too long to want it still."""
        visitor = self._visiting()
        self._parents.follow(visitor.pid)
        self._phase = "offered"
        self._deadline = monotonic() + 2 * GRACE_SECONDS
        age = round(monotonic() - self._ended_at)
        visitor.tell(accepted=True, served=self._served, age=age)

    def _go(self) -> None:
        if self._driver is not None:
            self._work()
            return
        self._phase = "starting"
        self._deadline = inf
        self._code = None
        self._mark = self._share.begin()
        self._process.start(self._order["command"], self._order["project"])
        self._on(self._process.output, self._pump)

    def _work(self) -> None:
        if self._phase != "starting":
            self._code = None
            self._mark = self._share.begin()
        self._phase = "working"
        self._deadline = inf
        self._tell_driver(do="go", end=self._mark)

    def _ended(self, message: dict[str, Any]) -> None:
        self._code = message["code"]
        self._phase = "ending"
        self._deadline = monotonic() + GRACE_SECONDS
        self._close_visit()

    def _close_visit(self) -> None:
        """Tell the task how its attempt ended, once all that it printed has been handed over."""
        if self._code is None or not self._share.is_whole:
            return
        visitor = self._visiting()
        self._visitor = None
        visitor.tell(exit=self._code)
        self._served += 1
        self._keep_seconds = float(visitor.asked["seconds"])
        self._ended_at = monotonic()
        self._phase = "tidying"
        self._deadline = monotonic() + _TIDYING_SECONDS
        say(f"served {self._served} stages")

    def _rest(self, message: dict[str, Any]) -> None:
        if message["why"]:
            raise _Over(message["why"])
        say(f"{message['mib']} MiB, waits")
        self._phase = "idle"
        self._deadline = self._ended_at + self._keep_seconds
        visitor = self._next
        if visitor is not None:
            self._next = None
            self._ask(visitor)

    # --- what spark-submit prints ---

    def _pump(self) -> None:
        data = os.read(self._process.output, _PIECE)
        if not data:
            self._see_end()
        self._share.take(data)
        if self._phase == "ending":
            self._close_visit()

    def _see_end(self) -> None:
        """Tell the task the exit code of a driver that ended by itself."""
        code = self._process.wait(GRACE_SECONDS)
        if code is None:
            code = 1  # it has closed its output, and does not end
        if self._visitor is not None and self._phase not in ("asked", "offered"):
            self._share.finish()
            self._visitor.tell(exit=code)
        raise _Over(f"the driver ended: {code}")

    def _end(self) -> None:
        with suppress(OSError):
            self._door.unlink()
        if self._driver is not None and self._visitor is None:
            self._driver.connection.close()  # it waits for its next attempt, and so ends itself
            self._process.wait(GRACE_SECONDS)
        self._process.end()


def _fail(_: dict[str, Any]) -> None:
    raise _Over("the attempt's process did not begin")


def main() -> None:
    """Keep the driver that the task on the other end of the first connection orders."""
    first = _Visitor(socket.socket(fileno=int(sys.argv[2])))
    Keeper(first.frames.message(), first).keep()
