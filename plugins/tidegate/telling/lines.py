"""Lines that fit into Airflow's log view, which shows some 95 columns after the timestamp."""

import re
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import east_asian_width

from tidegate.contract import plain

WIDTH = 90
"""The columns of the widest line that is told."""
_WIDE = "WF"
"""What Unicode calls the letters that take two columns."""


def columns(text: str) -> int:
    """Return how many columns ``text`` takes: two for a wide letter, as of Chinese."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(letter) in _WIDE for letter in text)


def begun(text: str, width: int = WIDTH) -> str:
    """Return ``text`` on one line; its beginning and an ellipsis, if it is wider than ``width``."""
    text = plain(text)
    if columns(text) <= width:
        return text
    return f"{_first(text, width - 1)}…"


def middle(name: str, width: int) -> str:
    """Return ``name`` on one line; cut in its middle, if wider, so that both ends can be seen."""
    name = plain(name)
    if columns(name) <= width:
        return name
    front = _first(name, width // 2)
    back = _first(name[::-1], width - 1 - width // 2)
    return f"{front}…{back[::-1]}"


def shared(names: Sequence[str], room: int) -> list[str]:
    """Return ``names`` cut in the middle, the longest first, until they fit ``room`` together."""
    fitting = list(map(plain, names))
    widest = room
    while sum(map(columns, fitting)) > room:
        fitting = [middle(name, widest) for name in fitting]
        widest -= 1
    return fitting


def padded(name: str, width: int) -> str:
    """Return ``name`` in exactly ``width`` columns."""
    fitting = middle(name, width)
    return fitting + " " * (width - columns(fitting))


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Return ``text`` in at most ``most`` lines, parted after spaces and slashes where it can be.

    What does not fit is left out at the end.
    """
    return filled(_pieces(plain(text), width), width, most)


def filled(pieces: Iterable[str], width: int, most: int) -> list[str]:
    """Return ``pieces``, none of which is parted, in at most ``most`` lines."""
    lines = [""]
    for piece in pieces:
        if columns(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    if len(lines) > most:
        rest = "".join(lines[most - 1 :])
        lines = [*lines[: most - 1], begun(rest, width)]
    return [line.strip() for line in lines]


def wrapped_path(path: str, width: int, most: int) -> list[str]:
    """Return ``path`` in at most ``most`` lines: whole, or else cut in its middle."""
    room = width * most
    told = wrapped(path, width, most + 1)
    while len(told) > most:
        told = wrapped(middle(path, room), width, most + 1)
        room -= 1
    return told


def _first(text: str, width: int) -> str:
    kept = text[:width]
    while columns(kept) > width:
        kept = kept[:-1]
    return kept


def _pieces(text: str, width: int) -> Iterator[str]:
    """Yield what must not be parted: words and folders, and of longer ones what fits a line."""
    for piece in re.findall(rf"[^ /]{{1,{width - 1}}}[ /]?|[ /]", text):
        if columns(piece) > width:
            yield from piece
        else:
            yield piece
