"""What came by TCP, on disk before anything else is done with it.

Bytes are written as the kernel hands them over. About once a second the whole lines become a file
of their own, which is a stream of files from then on: read again after a kill, and deleted once
they are on main. A line that is not whole yet stays in the file that is being written.
"""

import fcntl
import os
from pathlib import Path
from secrets import token_hex
from time import time_ns

PART = ".part"
WHOLE = ".lines"
LONGEST_LINE = 1024 * 1024
"""Bytes; a line that is longer is cut there."""
_NEWLINE = b"\n"


class Spool:
    """A folder of received lines; one driver writes a file of it at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt()
        self._tail = b""
        self._whole = 0
        self._open()

    def add(self, data: bytes) -> None:
        """Write what has come."""
        os.write(self._file, data)
        before, newline, after = (self._tail + data).rpartition(_NEWLINE)
        if newline:
            self._whole += len(before) + 1
        self._tail = after
        if len(self._tail) > LONGEST_LINE:
            self.end_line()

    def end_line(self) -> None:
        """End a line that its sender has not ended, if there is one."""
        if self._tail:
            self.add(_NEWLINE)

    def cut(self) -> None:
        """Hand on the lines that are whole."""
        if not self._whole:
            return
        # The half line goes on in the next file. Killed in between it is lost, and so is its other
        # half, which is on no disk.
        os.ftruncate(self._file, self._whole)
        os.fsync(self._file)
        self._path.rename(self._path.with_suffix(WHOLE))
        os.close(self._file)
        tail = self._tail
        self._open()
        self.add(tail)

    def close(self) -> None:
        """Hand on everything, half a line too."""
        self.end_line()
        self.cut()
        self._path.unlink()
        os.close(self._file)

    def _open(self) -> None:
        self._path = self._folder / f"{time_ns():020d}-{token_hex(4)}{PART}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._tail = b""
        self._whole = 0

    def _adopt(self) -> None:
        """Hand on what drivers that were killed have left."""
        for path in sorted(self._folder.glob(f"*{PART}")):
            left = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            try:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(left, _NEWLINE)
                path.rename(path.with_suffix(WHOLE))
            except BlockingIOError:
                continue  # its driver lives: it will find itself fenced off
            finally:
                os.close(left)
