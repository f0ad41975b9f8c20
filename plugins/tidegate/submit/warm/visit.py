"""A task at the door of a driver's keeper: it asks, is served, and leaves."""

import logging
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from subprocess import DEVNULL, Popen
from typing import IO, Any

from tidegate.frames import Frames, is_ours, tell
from tidegate.submit.output import Output
from tidegate.submit.warm.processes import BUSY, GRACE_SECONDS
from tidegate.submit.warm.start import Start

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 20
_LOOK_SECONDS = 0.3
_LOST = 1
"""The exit code of a driver whose keeper has gone without a word."""
_ROOT = str(Path(__file__).parents[3])
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from tidegate.submit.warm.keeper import main; main()"
)
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a task asks for.

    :param spec: the attempt's, as a file.
    :param seconds: how long the driver waits for the next attempt.
    """

    start: Start
    spec: Path
    seconds: float

    def message(self, salt: str) -> dict[str, Any]:
        """Return it as a keeper takes it."""
        return {
            "start": self.start.seal(salt),
            "spec": str(self.spec),
            "variables": self.start.passing,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Refused:
    """No driver serves the attempt behind this door.

    :param is_busy: whether one would, and serves another.
    """

    is_busy: bool


class Visit:
    """A driver that serves an attempt.

    :param driver: which one, in words.
    """

    def __init__(self, keeper: socket.socket, frames: Frames, driver: str) -> None:
        self._keeper = keeper
        self._frames = frames
        self.driver = driver

    def follow(self, output: Output, out: IO[bytes], meanwhile: Callable[[], None]) -> int:
        """Keep what the driver prints until the attempt has ended; return its exit code.

        :param meanwhile: is called several times a second.
        """
        self._keeper.settimeout(None)
        code = None
        while code is None:
            ready, _, _ = select.select([self._keeper], [], [], _LOOK_SECONDS)
            if ready:
                code = self._take(output, out)
            meanwhile()
        output.finish(out)
        meanwhile()
        self._keeper.close()
        return code

    def _take(self, output: Output, out: IO[bytes]) -> int | None:
        try:
            frames = list(self._frames.read())
        except OSError as failed:
            log.warning("the process that keeps the driver has gone: %s", failed)
            return _LOST
        code = None
        for each in frames:
            if isinstance(each, bytes):
                output.take(each, out)
            elif "exit" in each:
                code = int(each["exit"])
        return code

    def end(self) -> None:
        """Leave; if the attempt has not ended, return when its driver and keeper have."""
        with suppress(OSError):  # the keeper has ended the driver, and itself; or it had before
            self._keeper.shutdown(socket.SHUT_WR)
            self._keeper.settimeout(3 * GRACE_SECONDS)
            while self._keeper.recv(2**16):
                continue


def knock(door: Path, request: Request) -> "Visit | Refused":
    """Have a driver that waits behind a door serve the request, if it is there and equal."""
    refused = Refused(is_busy=False)
    keeper = socket.socket(socket.AF_UNIX)
    with ExitStack() as leaving:
        leaving.callback(keeper.close)  # also when the task is killed, or its time is over
        try:
            keeper.settimeout(_ANSWER_SECONDS)
            keeper.connect(str(door))
            frames = Frames(keeper)
            salt = frames.message()["salt"]
            if is_ours(keeper):
                answer = _agreed(keeper, frames, request.message(salt))
                if "accepted" in answer:
                    number = ordinal(int(answer["served"]) + 1)
                    driver = f"warm driver ({number} stage, {answer['age']} s old)"
                    leaving.pop_all()
                    return Visit(keeper, frames, driver)
                refused = Refused(is_busy=answer.get("refused") == BUSY)
        except OSError as failed:
            # Nobody is there, or it went meanwhile: it has not begun, and never will.
            log.debug("no driver behind %s: %s", door, failed)
    return refused


def hire(door: Path, place: int, request: Request, command: Sequence[str]) -> Visit | None:
    """Have a new keeper start a driver, which serves the request first; None if it could not.

    :param place: the descriptor that keeps the driver's place for as long as the keeper lives.
    """
    keeper = _keeper(door, place, request.start.lasting)
    order = _order(door, request, command)
    with ExitStack() as leaving:
        leaving.callback(keeper.close)
        try:
            keeper.settimeout(_ANSWER_SECONDS)
            frames = Frames(keeper)
            if "accepted" in _agreed(keeper, frames, order):
                driver = f"cold driver, which then waits for {request.seconds:g} s"
                leaving.pop_all()
                return Visit(keeper, frames, driver)
        except OSError as failed:
            # It had no room for its door, say: it has started nothing, and never will.
            log.warning("no process could be started to keep a driver: %s", failed)
    return None


def _order(door: Path, request: Request, command: Sequence[str]) -> dict[str, Any]:
    salt = token_hex()
    first = request.message(salt)
    return {
        "command": [*command, "--warm", str(door)],
        "project": str(request.start.project),
        "door": str(door),
        "salt": salt,
        "start": first["start"],
        "first": first,
    }


def _keeper(door: Path, place: int, environment: Mapping[str, str]) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs, open(door.with_suffix(".log"), "wb") as told:
        # None of its own descriptors is the task's: Airflow waits until those are closed.
        Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT, str(theirs.fileno())],
            env=environment,
            stdin=DEVNULL,
            stdout=told,
            stderr=told,
            pass_fds=(theirs.fileno(), place),
            start_new_session=True,
        )
    return ours


def _agreed(keeper: socket.socket, frames: Frames, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask, and return the keeper's answer; if its driver is promised, it begins now."""
    tell(keeper, asked)
    answer = frames.message()
    if "accepted" in answer:
        tell(keeper, {"go": True})
    return answer


def ordinal(number: int) -> str:
    """Return ``3rd`` for 3."""
    ending = "th"
    if number % 100 not in (11, 12, 13):
        ending = _ENDINGS.get(number % 10, "th")
    return f"{number}{ending}"
