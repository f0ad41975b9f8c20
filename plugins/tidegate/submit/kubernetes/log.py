"""A driver's log while it is written: a pod that is deleted takes its log along."""

from collections.abc import Callable, Iterator
from threading import Thread
from time import monotonic

from tidegate.errors import ClusterUnavailable, SpecError

Open = Callable[[int | None], Iterator[bytes]]
"""Opens the log: all of it, or only of so many last seconds."""
Take = Callable[[bytes], None]

_MOST = 8 * 1024 * 1024
"""Bytes that are kept from the beginning on."""
_MOST_OF_END = 1024 * 1024
_GRACE_SECONDS = 10


class PodLog:
    """Follows a log in a thread of its own; hands on its beginning, and its end at the end."""

    def __init__(self, source: Open, take: Take) -> None:
        self._source = source
        self._take = take
        self._thread: Thread | None = None
        self._heard = 0.0
        self._room = _MOST
        self._end = b""
        self._left_out = 0
        self._is_whole = False

    def look(self, *, has_ended: bool) -> None:
        """Follow the log, unless that is under way or done.

        :param has_ended: whether nobody writes to it any more.
        """
        is_followed = self._thread is not None and self._thread.is_alive()
        if is_followed or (has_ended and self._is_whole):
            return
        since = None  # all of it
        if self._heard:
            since = int(monotonic() - self._heard) + 1
        self._thread = Thread(target=self._follow, args=(since,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until what has been written is there."""
        if self._thread is None:
            return
        self._thread.join(_GRACE_SECONDS)
        if self._left_out:
            self._take(f"\n[… {self._left_out:,} bytes are left out …]\n".encode())
        self._take(self._end + b"\n")
        self._end = b""

    def _follow(self, since: int | None) -> None:
        self._is_whole = False
        self._heard = monotonic()
        try:
            for piece in self._source(since):
                self._heard = monotonic()
                self._keep(piece)
        except (ClusterUnavailable, SpecError):
            return  # the next look goes on; without a right to the log, the report says it all
        self._is_whole = True

    def _keep(self, piece: bytes) -> None:
        first = piece[: self._room]
        self._room -= len(first)
        self._take(first)
        rest = self._end + piece[len(first) :]
        self._end = rest[-_MOST_OF_END:]
        self._left_out += len(rest) - len(self._end)
