"""What a driver tells while it works: lines of a file that neither data nor a job's prints reach.

Spark's output is no place for it: it quotes cells of the data, newlines and all, and a job prints
what it likes, so that any line in it may be anybody's.
"""

import json
import os
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from tidegate.contract import plain
from tidegate.store import TOLD, AttemptFiles
from tidegate.submit.protocol import Listener

_LONGEST_LINE = 300
_MOST_LINES = 40
_SECONDS_A_LINE = 20
_MOST_BYTES = 64 * 1024


@dataclass(kw_only=True)
class Told:
    """Hands on what the driver has told since the last look.

    At most forty lines, and one more for each twenty seconds that the driver lives (a stream tells
    one in thirty), whatever the file holds: a job that finds the file can waste its own lines.
    """

    files: AttemptFiles
    listener: Listener
    _offset: int = 0
    _lines: int = 0
    _has_ui: bool = False
    _began: float = field(default_factory=monotonic)

    def look(self) -> None:
        """Read what is new, as far as lines are whole."""
        more = int((monotonic() - self._began) / _SECONDS_A_LINE)
        room = _MOST_LINES + more - self._lines
        for line in self._new().splitlines()[:room]:
            self._lines += 1
            self._hand_on(line)

    def _new(self) -> bytes:
        try:
            source = os.open(self.files.path(TOLD), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return b""  # nothing has been told yet
        try:
            os.lseek(source, self._offset, os.SEEK_SET)
            found = os.read(source, _MOST_BYTES)
        finally:
            os.close(source)
        whole = found[: found.rfind(b"\n") + 1]
        if len(found) == _MOST_BYTES and not whole:
            whole = found  # a line that no driver writes: passed over
        self._offset += len(whole)
        return whole

    def _hand_on(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # no line of the driver's
        if not isinstance(said, dict):
            return
        text = said.get("say")
        address = said.get("ui")
        if isinstance(text, str):
            self.listener.say(plain(text)[:_LONGEST_LINE])
        elif isinstance(address, str) and not self._has_ui and _is_page(address):
            self._has_ui = True
            self.listener.spark_ui(address)


def _is_page(address: str) -> bool:
    """Tell whether a browser may be sent there: ``javascript:`` and its like are not."""
    if len(address) > _LONGEST_LINE or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that close nowhere
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
