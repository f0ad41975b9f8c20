"""Where warm drivers are found: a folder of this user's, with a door and a place for each."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 107
"""Bytes of a Unix socket's path, on Linux."""


@dataclass(frozen=True)
class Doors:
    """The doors of this user's drivers on this machine, for nobody else to enter.

    :param most: how many there may be.
    """

    folder: Path
    most: int

    @classmethod
    def of_this_user(cls, most: int) -> "Doors":
        """Return them, with their folder there and private.

        :raises OSError: if somebody else has laid something there, or a door would have too long a
            name.
        """
        folder = Path(tempfile.gettempdir(), f"tidegate-{os.getuid()}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077 == 0
        if not is_private or found.st_uid != os.getuid():
            raise PermissionError(1, f"{folder} is not this user's alone")
        if len(os.fsencode(folder / f"{most}.sock")) > _LONGEST:
            raise OSError(36, f"the name of {folder} is too long for a socket")
        return cls(folder, most)

    def all(self) -> Iterator[Path]:
        """Yield every door that may be there."""
        for number in range(self.most):
            yield self.folder / f"{number}.sock"

    @contextmanager
    def free(self) -> Iterator[tuple[Path, int] | None]:
        """Give a door that nobody waits behind, and the descriptor that keeps its place.

        The place is taken for as long as a process has the descriptor open.
        """
        for door in self.all():
            place = _taken(door.with_suffix(".lock"))
            if place is None:
                continue
            try:
                yield door, place
            finally:
                os.close(place)
            return
        yield None


def _taken(lock: Path) -> int | None:
    place = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        return None
    return place
