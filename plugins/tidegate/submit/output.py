"""Spark's whole output on its way into a file: bytes as they come, in bounded memory."""

import os
import select
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from subprocess import Popen
from typing import IO, Any

from tidegate.contract import scrub

_PIECE = 64 * 1024
_LONGEST_LINE = 2000
_TAIL_LINES = 400
_PATIENCE_SECONDS = 0.3


class Output:
    """The end of Spark's output in memory, and all of it in a file, without known secrets.

    The file is one without a buffer, which a full disk would leave full for good.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets
        self._rest = b""
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def copy(self, process: Popen[Any], out: IO[bytes], meanwhile: Callable[[], None]) -> None:
        """Copy until the process closes its output.

        :param meanwhile: is called several times a second, also while the process is silent.
        """
        assert process.stdout is not None  # noqa: S101  # the provider asks for a pipe
        source = process.stdout.fileno()
        while True:
            ready, _, _ = select.select([source], [], [], _PATIENCE_SECONDS)
            if ready:
                piece = os.read(source, _PIECE)
                if not piece:
                    break
                self.take(piece, out)
            meanwhile()
        self.finish(out)
        meanwhile()

    def take(self, piece: bytes, out: IO[bytes]) -> None:
        """Write what is whole lines by now; keep the beginning of another."""
        whole, newline, self._rest = (self._rest + piece).rpartition(b"\n")
        self._write(whole + newline, out)
        if len(self._rest) > _PIECE:
            # A line without an end: written in pieces, so that it never lies in memory whole.
            self._write(self._rest, out)
            self._rest = b""

    def finish(self, out: IO[bytes]) -> None:
        """Write what is left of the last line."""
        self._write(self._rest, out)
        self._rest = b""

    def _write(self, lines: bytes, out: IO[bytes]) -> None:
        text = scrub(lines.decode("utf-8", errors="replace"), self._secrets)
        with suppress(OSError):  # a full disk ends the log, not the work
            out.write(text.encode())
        self.tail.extend(line[:_LONGEST_LINE] for line in text.splitlines()[-_TAIL_LINES:])
