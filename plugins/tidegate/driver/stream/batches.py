"""The micro-batches of one attempt: each settled as a stage is, once."""

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic

from pyspark.sql import DataFrame

from tidegate.contract import BatchEvent, Flow, Judgement, MicroBatch
from tidegate.contract.flow import LAST
from tidegate.driver.gate import Gate
from tidegate.driver.record import Record
from tidegate.driver.stream.checkpoint import Checkpoint
from tidegate.driver.stream.compaction import Compaction
from tidegate.driver.stream.letters import DeadLetters, LetteredBatch
from tidegate.driver.stream.seen import files_of
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.settle import Settled, settle
from tidegate.driver.targets.table.stream import StreamTable
from tidegate.errors import PublishError


class Ended(Exception):
    """Ends Spark's query: the stream is over, or has met a closed gate."""


@dataclass(kw_only=True)
class Batches:
    """Settles micro-batches, one at a time, until it is told to stop or a gate closes.

    :param last: the mark of the last one on main, None before the first.
    :param events: whether each published one is to be told by an event of its own.
    """

    table: StreamTable
    letters: DeadLetters
    gate: Gate
    record: Record
    checkpoint: Checkpoint
    compaction: Compaction
    last: Mark | None
    flow: Flow
    events: bool = False
    settled: Settled | None = None
    failed: Exception | None = None
    _turn: Lock = field(default_factory=Lock)
    _over: bool = False

    def take(self, frame: DataFrame, number: int) -> None:
        """Settle one micro-batch; Spark calls this, and takes an exception for the query's end.

        :raises Ended: if nothing more is to be settled.
        """
        with self._turn:
            if self._over:
                raise Ended
            with _Kept(self):
                self._take(frame, number)

    def stop(self) -> None:
        """Let the micro-batch under way come to its end, and no other begin."""
        with self._turn:
            self._over = True

    @property
    def is_over(self) -> bool:
        """Whether no other micro-batch will begin."""
        return self._over

    def end_with(self, error: BaseException) -> None:
        """Note what ended the stream; Spark makes a text of it, and the attempt has to know."""
        self._over = True
        if isinstance(error, Exception) and not isinstance(error, Ended):
            self.failed = error

    def _take(self, frame: DataFrame, number: int) -> None:
        if not self.flow.query:
            self.flow = replace(self.flow, query=self.checkpoint.query or "")
        last = self.last
        if last is not None and number <= last.number and last.query == self.flow.query:
            # Published by an attempt that ended before Spark noted it.
            if self.checkpoint.is_stateful:
                # Spark wants what the batch left in its state committed again, and refuses the
                # next one without.
                frame.write.format("noop").mode("overwrite").save()
            self.flow = replace(self.flow, skipped=self.flow.skipped + 1)
            return
        began = monotonic()
        mark = self._mark(number)
        fenced = LetteredBatch(self.table.batch(mark), self.letters)
        self.settled = settle(fenced, frame, self.gate, Quiet(self.record))
        self._note(mark, self.settled, monotonic() - began)
        if self.settled.outcome == "held":
            raise Ended
        self.last = mark
        self.compaction.after(mark)

    def _mark(self, number: int) -> Mark:
        now = self.checkpoint.logged(number)
        if now is None:
            raise PublishError(
                f"checkpoint {self.checkpoint.uri}: offsets/{number} was removed while the stream "
                "worked; the next try makes the checkpoint anew from the offsets on main"
            )
        times = json.loads(now.times)
        times.pop("conf", None)  # of the session, not of the stream; and long
        mark = Mark(
            query=self.flow.query,
            number=number,
            start=self._start(number, len(now.offsets)),
            end=now.offsets,
            time=json.dumps(times),
            stateful=self.checkpoint.is_stateful,
        )
        return replace(mark, files=files_of(mark, self.checkpoint, self.last))

    def _start(self, number: int, inputs: int) -> tuple[str, ...]:
        """Return the offsets before a micro-batch."""
        last = self.last
        if last is not None and (last.query, last.number) == (self.flow.query, number - 1):
            return last.end
        before = self.checkpoint.logged(number - 1)
        return before.offsets if before else self.checkpoint.initial(inputs)

    def _note(self, mark: Mark, settled: Settled, seconds: float) -> None:
        rows = settled.output.rows or 0
        verdict = settled.judgement.verdict if settled.judgement else "pass"
        batch = MicroBatch(
            number=mark.number,
            rows=rows,
            seconds=round(seconds, 3),
            verdict=verdict,
            start=mark.start,
            end=mark.end,
            dead=self.letters.count,
        )
        flow = self.flow
        if settled.outcome == "published":
            flow = replace(flow, batches=flow.batches + 1, rows=flow.rows + rows)
            flow = replace(flow, dead=flow.dead + batch.dead)
            if self.events:
                flow = flow.with_event(_event(batch, settled.output.version))
        self.flow = replace(flow, last=(*flow.last, batch)[-LAST:])
        if verdict != "pass":
            at = ", ".join(mark.end)
            self.record.channel.say(f"batch {mark.number}: {rows:,} rows, {verdict}, up to {at}")


def _event(batch: MicroBatch, snapshot: int | None) -> BatchEvent:
    return BatchEvent(
        batch=batch.number,
        rows=batch.rows,
        dead=batch.dead,
        verdict=batch.verdict,
        snapshot_id=snapshot,
    )


class _Kept:
    """Notes what a block raises, which goes on as it is."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._batches.end_with(error)


@dataclass(frozen=True)
class Quiet:
    """A :class:`~.targets.settle.Progress` that keeps the worst judgement and tells nothing."""

    record: Record

    def step(self, name: str) -> AbstractContextManager[None]:
        """Time a step; the times of all micro-batches add up."""
        return self.record.step(name)

    def wrote(self, rows: int | None) -> None:
        """Tell nothing: a line a micro-batch tells all of it."""

    def judged(self, judgement: Judgement, page: str) -> None:
        """Keep the judgement, if none was graver."""
        worst = self.record.judgement
        if worst is None or judgement.gravity >= worst.gravity:
            self.record.judged(judgement, page)
