"""What a stream tells while it works: a line now and then, and what it read in all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic, time
from typing import Any

from pyspark.sql.streaming.query import StreamingQuery

from tidegate.contract import Flow
from tidegate.driver.inputs.found import Feed
from tidegate.driver.jvm.streams import progress_behind

_PAUSE_SECONDS = 30.0
"""No two lines come closer, while all is well."""
_WORKED = "addBatch"
"""Among the durations of a progress, if a micro-batch was taken; there are idle ones too."""


class Watch:
    """Looks at what Spark says of its progress, and tells it.

    :param say: takes a line for the task log.
    :param feeds: what brings messages to where the stream reads them.
    """

    def __init__(self, say: Callable[[str], None], feeds: Sequence[Feed] = ()) -> None:
        self._say = say
        self._feeds = feeds
        self._told_at = -_PAUSE_SECONDS
        self._seen = -1
        self._taken = 0
        self._lag: int | None = None
        self._behind: float | None = None

    def start(self) -> None:
        """Let what feeds the stream begin."""
        for feed in self._feeds:
            feed.start()

    def stop(self) -> None:
        """Let what feeds the stream end; what has come is kept for the next run."""
        for feed in self._feeds:
            feed.stop()

    def check(self) -> None:
        """Raise what has ended a feed.

        :raises Exception: what it is.
        """
        for failed in filter(None, (feed.failed for feed in self._feeds)):
            raise failed

    def look(self, query: StreamingQuery) -> None:
        """Take note of the micro-batches that have ended since the last look."""
        for progress in reversed(progress_behind(query, self._seen)):
            if _WORKED in progress.get("durationMs", ()):
                self._note(progress)

    def tell(self, flow: Flow) -> None:
        """Tell the last micro-batch, unless a line was told just now."""
        if flow.last and monotonic() - self._told_at >= _PAUSE_SECONDS:
            self._told_at = monotonic()
            self._say(self.line(flow))

    def line(self, flow: Flow) -> str:
        """Return what there is to say of the last micro-batch, and how far the stream is behind."""
        last = flow.last[-1]
        rate = last.rows / max(last.seconds, 0.001)
        parts = [
            f"batch {last.number}: {last.rows:,} rows, {last.verdict}",
            f"{last.dead:,} dead",
            f"{last.seconds:.1f} s",
            f"{rate:,.0f} rows/s",
        ]
        if self._lag is not None:
            parts.append(f"lag {self._lag:,} messages")
        if self._behind is not None:
            parts.append(f"{self._behind:,.0f} s behind")
        return ", ".join(parts)

    def whole(self, flow: Flow) -> Flow:
        """Return a flow with what Spark alone knows."""
        return replace(flow, taken=self._taken, lag=self._lag, behind=self._behind)

    def _note(self, progress: Mapping[str, Any]) -> None:
        self._seen = progress["batchId"]
        self._taken += progress["numInputRows"]
        lags = [_lag(source) for source in progress["sources"]]
        known = [lag for lag in lags if lag is not None]
        if known:
            self._lag = sum(known)
        # A job may observe numbers of its own, which have no such name.
        observed = progress.get("observedMetrics", {}).values()
        told = [numbers.get("newest") for numbers in observed]
        newest = list(filter(None, told))
        if not self._lag:
            self._behind = 0.0
        elif newest:
            self._behind = round(max(time() - max(newest) / 1000, 0.0), 1)


def _lag(source: Mapping[str, Any]) -> int | None:
    """Return how many messages of an input had arrived and were not taken; None if unknown."""
    average = source.get("metrics", {}).get("avgOffsetsBehindLatest")
    if average is None:
        return None
    return round(float(average) * sum(map(len, source["endOffset"].values())))
