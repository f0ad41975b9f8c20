"""What a report says of a stream: what was taken and published, and how far it is behind."""

from dataclasses import dataclass

from tidegate.contract.judgement import Verdict

LAST = 20
"""How many of the last micro-batches a report names."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """One settled micro-batch.

    :param rows: how many rows it published, or, if its gate closed, holds.
    :param dead: how many messages went to the dead letters.
    :param seconds: from the moment it was formed to its publish.
    :param start: the offsets it begins at, as Spark writes them, by input; empty at a beginning.
    :param end: the offsets that it ends at.
    """

    number: int
    rows: int
    seconds: float
    verdict: Verdict
    end: tuple[str, ...]
    start: tuple[str, ...] = ()
    dead: int = 0


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What an attempt of a stream did.

    :param query: the id of Spark's streaming query, which its checkpoint holds.
    :param taken: how many messages (rows of the inputs) were read.
    :param skipped: how many micro-batches were on main already, published by an earlier attempt.
    :param lag: how many messages had arrived and were not taken yet when it ended, if known.
    :param behind: by how many seconds, at the last micro-batch, if known.
    :param rebuilt: why the checkpoint was made anew from the offsets on main, if it was.
    :param last: the last micro-batches, at most twenty.
    """

    query: str
    batches: int = 0
    rows: int = 0
    dead: int = 0
    taken: int = 0
    skipped: int = 0
    lag: int | None = None
    behind: float | None = None
    rebuilt: str | None = None
    last: tuple[MicroBatch, ...] = ()
