"""Client mode with a driver that may stay for the next attempt: the task's side."""

import fcntl
import logging
import os
import select
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from subprocess import DEVNULL, Popen
from typing import Any

from tidegate.contract import StageSpec
from tidegate.frames import Frames, is_ours, tell
from tidegate.store import LOG, SPEC
from tidegate.submit.client import ClientSubmission
from tidegate.submit.hook import command_of, connection_of
from tidegate.submit.package import pack_driver
from tidegate.submit.processes import GRACE_SECONDS
from tidegate.submit.start import Start
from tidegate.submit.told import Told

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 20
_LOOK_SECONDS = 0.3
_LOST = 1
"""The exit code of a driver whose keeper has gone without a word."""
_KEEP = "from tidegate.submit.keeper import main; main()"
_COLD_KINDS = ("stream",)
_COLD_ENGINES = ("graphframes",)
_NAME = "tidegate"
_NAMES = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Warmth:
    """Whether drivers stay for the next attempt.

    :param seconds: how long one waits; 0 for not at all.
    :param most: how many there may be on this machine, at work or waiting.
    """

    seconds: float = 0
    most: int = 2


@dataclass(kw_only=True)
class WarmSubmission(ClientSubmission):
    """A driver in client mode: one that waits, or a new one, which will wait.

    A :class:`~tidegate.submit.protocol.Submission`; where nothing else is certain, a driver of the
    attempt's own, as :class:`ClientSubmission` starts it.

    :param spec: the attempt's.
    :param warmth: whether and how long a driver waits.
    """

    spec: StageSpec
    warmth: Warmth
    _keeper: socket.socket | None = field(default=None)

    def follow(self) -> int:
        """Run the attempt to its end; return the driver's exit code."""
        if not self.warmth.seconds:
            return super().follow()
        try:
            why = self._why_cold() or self._find_driver()
        except OSError as failed:
            why = f"none can be kept: {failed.strerror or failed}"
        if why:
            self._say(f"cold driver: {why}")
            return super().follow()
        return self._attend()

    def _find_driver(self) -> str:
        """Have a driver take the attempt: one that waits, or a new one; return why none did."""
        package, launcher = pack_driver(self.packages)
        start = Start(
            master=connection_of(self._hook)["master"],
            command=command_of(self._hook, package, launcher, _NAME),
            environment=self._environment,
            secrets=self.settings.conf,
            project=self.project,
        )
        if why := start.unclear():
            return why
        folder = doors()
        if self._visit(folder, start) or self._begin(folder, start):
            return ""
        return f"{self.warmth.most} others are at work or waiting"

    def end(self) -> None:
        """End the driver, whoever keeps it, and return when it has ended."""
        super().end()
        keeper = self._keeper
        if keeper is None:
            return
        self._keeper = None
        with suppress(OSError):  # the keeper has ended the driver, and itself
            keeper.shutdown(socket.SHUT_WR)
            keeper.settimeout(3 * GRACE_SECONDS)
            while keeper.recv(2**16):
                continue

    def _say(self, text: str) -> None:
        self.listener.say(f"[run] {text}")

    def _why_cold(self) -> str:
        """Return why this stage has a driver of its own, or nothing."""
        if self.spec.kind in _COLD_KINDS:
            return f"a {self.spec.kind} has one of its own"
        if self.spec.engine in _COLD_ENGINES:
            return f"engine {self.spec.engine} has one of its own"
        for name in ("post_submit_commands", "use_krb5ccache"):
            if self.settings.shown.get(name):
                return f"not with {name}"
        return ""

    # --- a driver that waits ---

    def _visit(self, folder: Path, start: Start) -> bool:
        """Have a waiting driver of an equal start take the attempt, if there is one."""
        for number in range(self.warmth.most):
            try:
                if self._offer(folder / f"{number}.sock", start):
                    return True
            except OSError as failed:
                # Nobody is there, or it went meanwhile: it has not begun, and never will.
                log.debug("no driver behind door %s: %s", number, failed)
        return False

    def _offer(self, door: Path, start: Start) -> bool:
        keeper = socket.socket(socket.AF_UNIX)
        try:
            keeper.settimeout(_ANSWER_SECONDS)
            keeper.connect(str(door))
            if not is_ours(keeper):
                return False
            frames = Frames(keeper)
            tell(keeper, self._asked(start, frames.message()["salt"]))
            answer = frames.message()
            if answer.get("accepted"):
                tell(keeper, {"go": True})
                self._keeper = keeper
                self._tell_warm(answer)
            return self._keeper is not None
        finally:
            if self._keeper is None:
                keeper.close()

    def _tell_warm(self, answer: Mapping[str, Any]) -> None:
        number = int(answer["served"]) + 1
        self._say(f"warm driver ({ordinal(number)} stage, {answer['age']} s old)")

    def _asked(self, start: Start, salt: str) -> dict[str, Any]:
        return {
            "start": start.seal(salt),
            "spec": str(self.files.path(SPEC)),
            "variables": start.passing,
            "seconds": self.warmth.seconds,
        }

    # --- a driver that will wait ---

    def _begin(self, folder: Path, start: Start) -> bool:
        """Start a keeper, and the driver by it, if there is room for one more."""
        for number in range(self.warmth.most):
            with _place(folder / f"{number}.lock") as place:
                if place is not None:
                    self._start_keeper(folder / f"{number}.sock", place, start)
                    self._say(f"cold driver, which then waits for {self.warmth.seconds:g} s")
                    return True
        return False

    def _start_keeper(self, door: Path, place: int, start: Start) -> None:
        ours, theirs = socket.socketpair()
        salt = token_hex()
        asked = self._asked(start, salt)
        command = [*start.command, "--warm", str(door)]
        order = {
            "command": command,
            "project": str(self.project),
            "door": str(door),
            "salt": salt,
            "start": asked["start"],
            "first": asked,
        }
        root = str(Path(__file__).parents[2])
        program = f"import sys; sys.path.append(sys.argv[1]); {_KEEP}"
        with theirs, open(door.with_suffix(".log"), "wb") as told:
            # None of its own descriptors is the task's: Airflow waits until those are closed.
            Popen(
                [sys.executable, "-I", "-S", "-c", program, root, str(theirs.fileno())],
                env=start.lasting,
                stdin=DEVNULL,
                stdout=told,
                stderr=told,
                pass_fds=(theirs.fileno(), place),
                start_new_session=True,
            )
        tell(ours, order)
        self._keeper = ours

    # --- while the attempt runs ---

    def _attend(self) -> int:
        """Keep what the driver prints until the attempt has ended; return its exit code."""
        keeper = self._keeper
        if keeper is None:
            return _LOST
        told = Told(files=self.files, listener=self.listener)
        frames = Frames(keeper)
        keeper.settimeout(None)
        try:
            with open(self.files.open_new(LOG), "wb") as out:
                code = None
                while code is None:
                    ready, _, _ = select.select([keeper], [], [], _LOOK_SECONDS)
                    if ready:
                        code = self._take(frames, out)
                    told.look()
                self._output.finish(out)
            keeper.close()
            self._keeper = None
            return code
        except OSError as failed:
            log.warning("the process that keeps the driver has gone: %s", failed)
            return _LOST
        finally:
            self.end()

    def _take(self, frames: Frames, out: Any) -> int | None:
        code = None
        for each in frames.read():
            if isinstance(each, bytes):
                self._output.take(each, out)
            elif "exit" in each:
                code = each["exit"]
        return code


def doors() -> Path:
    """Return the folder of this user's waiting drivers on this machine, for nobody else to enter.

    :raises OSError: if somebody else has laid something there.
    """
    folder = Path(tempfile.gettempdir(), f"tidegate-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077 == 0
    if not is_private or found.st_uid != os.getuid():
        raise PermissionError(1, "not this user's alone", str(folder))
    return folder


@contextmanager
def _place(lock: Path) -> Iterator[int | None]:
    """Take one of the places for drivers; who inherits the descriptor holds it until it ends."""
    place = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield place
    except BlockingIOError:
        yield None
    finally:
        os.close(place)


def ordinal(number: int) -> str:
    """Return ``3rd`` for 3."""
    ending = "th"
    if number % 100 not in (11, 12, 13):
        ending = _NAMES.get(number % 10, "th")
    return f"{number}{ending}"
