"""One attempt's share of what a driver prints that serves several in turn."""

import os
from collections.abc import Callable


class Share:
    """What is printed between two attempts' ends, without the mark that ends it.

    :param hand_over: is given the attempt's own bytes.
    """

    def __init__(self, hand_over: Callable[[bytes], None]) -> None:
        self._hand_over = hand_over
        self._mark = b""
        self._held = b""
        self.is_whole = True
        """Whether the attempt's end has been seen; what is printed then is nobody's."""

    def begin(self) -> str:
        """Begin another attempt's; return the mark that the driver prints at its end."""
        mark = os.urandom(16).hex()
        self._mark = mark.encode()
        self._held = b""
        self.is_whole = False
        return mark

    def take(self, data: bytes) -> None:
        """Hand on the next bytes, as far as they are no part of the mark."""
        if self.is_whole:
            return
        before, mark, _ = (self._held + data).partition(self._mark)
        self._held = b""
        if mark:
            self.is_whole = True
        else:
            # The mark may be half here.
            known = max(len(before) - len(self._mark), 0)
            self._held = before[known:]
            before = before[:known]
        if before:
            self._hand_over(before)

    def finish(self) -> None:
        """Hand on what is held back: the mark will not come."""
        self.is_whole = True
        if self._held:
            self._hand_over(self._held)
        self._held = b""
