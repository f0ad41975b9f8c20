"""What a report says of a stream: what was taken and published, and how far it is behind."""

from dataclasses import dataclass, replace

from tidegate.contract.judgement import Verdict

LAST = 20
"""How many of the last micro-batches a report names."""
MOST_EVENTS = 1000
"""So many events at most tell of the micro-batches of one attempt."""


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
class BatchEvent:
    """What an event of the table's Asset tells of a published micro-batch.

    :param batch: its number; of several that one event is of, the last one's.
    :param batches: how many the event is of.
    :param snapshot_id: the one that holds it; of several, the last one's.
    """

    batch: int
    rows: int
    dead: int
    verdict: Verdict
    snapshot_id: int | None
    batches: int = 1


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
    :param events: what is told of each published micro-batch, if that was asked.
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
    events: tuple[BatchEvent, ...] = ()

    def with_event(self, event: BatchEvent) -> "Flow":
        """Return this flow with one more event; beyond the most, the two oldest become one."""
        events = (*self.events, event)
        if len(events) > MOST_EVENTS:
            events = (_joined(events[0], events[1]), *events[2:])
        return replace(self, events=events)


def _joined(older: BatchEvent, newer: BatchEvent) -> BatchEvent:
    verdict = newer.verdict
    if "warn" in (older.verdict, newer.verdict):
        verdict = "warn"
    return replace(
        newer,
        rows=older.rows + newer.rows,
        dead=older.dead + newer.dead,
        verdict=verdict,
        batches=older.batches + newer.batches,
    )
