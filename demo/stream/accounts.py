"""What was sent against what readers see: nothing lost, nothing doubled, in plain numbers."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

HEAD = (
    f"{'stream':16} {'sent':>5} {'on main':>8} {'dead':>5} {'lost':>5} {'doubled':>8} "
    f"{'offsets twice':>14}"
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One stream: what was sent, and where each message is.

    :param good: what names each message that parses, as often as it was sent.
    :param broken: the bytes of each that does not.
    :param main: what names each row on main.
    :param dead: the bytes of each dead letter.
    :param offsets: where each row and each dead letter came from, of a source that has offsets.
    """

    name: str
    good: Sequence[Hashable]
    broken: Sequence[bytes]
    main: Sequence[Hashable]
    dead: Sequence[bytes]
    offsets: Sequence[Hashable] = ()

    @property
    def sent(self) -> Counter[Hashable]:
        """What was sent, and where each of it belongs."""
        return _placed(self.good, self.broken)

    @property
    def seen(self) -> Counter[Hashable]:
        """What is there."""
        return _placed(self.main, self.dead)

    @property
    def lost(self) -> int:
        """How many messages are not where they belong."""
        return (self.sent - self.seen).total()

    @property
    def doubled(self) -> int:
        """How many rows and dead letters nobody sent, or not as often."""
        return (self.seen - self.sent).total()

    @property
    def twice(self) -> int:
        """How many rows and dead letters are of an offset that another one has too."""
        return (Counter(self.offsets) - Counter(set(self.offsets))).total()

    @property
    def holds(self) -> bool:
        """Whether every message is there once."""
        return self.lost == self.doubled == self.twice == 0

    @property
    def line(self) -> str:
        """The numbers, below :data:`HEAD`."""
        numbers = (
            f"{self.sent.total():5} {len(self.main):8} {len(self.dead):5} "
            f"{self.lost:5} {self.doubled:8}"
        )
        twice = "-"
        if self.offsets:
            twice = str(self.twice)
        return f"{self.name:16} {numbers} {twice:>14}"


def _placed(main: Sequence[Hashable], dead: Sequence[bytes]) -> Counter[Hashable]:
    placed: list[Hashable] = [("main", each) for each in main]
    placed += [("dead", each) for each in dead]
    return Counter(placed)
