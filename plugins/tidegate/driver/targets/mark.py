"""The mark of a micro-batch: what its snapshot says of where in the stream it lies.

It is spelled here alone. A mark on main is the truth: what it names has been published, once.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

QUERY = "tidegate.stream"
NUMBER = "tidegate.batch"
FROM = "tidegate.offsets_from"
TO = "tidegate.offsets_to"
TIME = "tidegate.stream_time"
FILES = "tidegate.files"
STATE = "tidegate.stateful"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One micro-batch of a stream.

    :param query: the id of Spark's streaming query.
    :param number: the batch's, counted by the query.
    :param start: the offsets before it, one text an input; empty at the beginning.
    :param end: the offsets after it.
    :param time: the query's own times (watermark, clock), as Spark's JSON.
    :param files: for inputs of files, what :mod:`tidegate.driver.stream.seen` knows, as JSON.
    :param stateful: whether the query keeps state, which no offsets can bring back.
    """

    query: str
    number: int
    start: tuple[str, ...]
    end: tuple[str, ...]
    time: str = "{}"
    files: str = "{}"
    stateful: bool = False

    def as_summary(self) -> dict[str, str]:
        """Return the properties of a snapshot."""
        return {
            QUERY: self.query,
            NUMBER: str(self.number),
            FROM: json.dumps(self.start),
            TO: json.dumps(self.end),
            TIME: self.time,
            FILES: self.files,
            STATE: str(self.stateful).lower(),
        }

    @classmethod
    def read(cls, summary: Mapping[str, str]) -> Self | None:
        """Return what a snapshot's summary says; None if it is of no micro-batch."""
        if QUERY not in summary or NUMBER not in summary:
            return None
        return cls(
            query=summary[QUERY],
            number=int(summary[NUMBER]),
            start=tuple(json.loads(summary.get(FROM, "[]"))),
            end=tuple(json.loads(summary.get(TO, "[]"))),
            time=summary.get(TIME, "{}"),
            files=summary.get(FILES, "{}"),
            stateful=summary.get(STATE) == "true",
        )

    def as_property(self, snapshot: int | None) -> str:
        """Return the text of a table's property, which outlives every snapshot.

        :param snapshot: the one that holds the batch's data.
        """
        return json.dumps({**asdict(self), "snapshot": snapshot})

    @classmethod
    def of_property(cls, text: str) -> tuple[Self, int | None]:
        """Return what :meth:`as_property` wrote: the mark, and the snapshot of its data."""
        told = json.loads(text)
        snapshot = told.pop("snapshot")
        told["start"] = tuple(told["start"])
        told["end"] = tuple(told["end"])
        return cls(**told), snapshot
