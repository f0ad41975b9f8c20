"""A table as the target of a stream: one fence an attempt, one commit to main a micro-batch.

The data branch follows main from batch to batch; the token stays from the attempt's first batch to
its end, and every commit to main moves it, so that it fails once a newer attempt has removed it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import time

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Judgement, Outcome, Output, StageSpec, Verdict
from tidegate.driver.gate import Gate
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.jvm import iceberg_table
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.provenance import COMPACTS, RUN, TRY
from tidegate.driver.targets.table.branches import fenced_off
from tidegate.driver.targets.table.compact import Compacted, CompactedTable, Order
from tidegate.driver.targets.table.forward import Forward, StreamedTable
from tidegate.driver.targets.table.marks import (
    mark_of_property,
    marks_of_history,
    snapshot_before,
)
from tidegate.driver.targets.table.merge import check_columns
from tidegate.driver.targets.table.merged import MergedTable, RowsToMerge
from tidegate.driver.targets.table.metadata import MAIN
from tidegate.driver.targets.table.sifted import added_without, aside_without, to_merge_without
from tidegate.driver.targets.table.staged import InSidecar, OnBranch, Written
from tidegate.driver.targets.table.target import FencedTable, TableTarget
from tidegate.errors import SpecError

_COMPACTED = "tidegate.compacted."
"""Begins the table's property that says when a stream last compacted it."""
_LAST = "tidegate.last."
"""Begins the table's property with a stream's last mark, which ends in the stage's key."""


class StreamTable:
    """The table that a stream publishes to, created as the stream begins if it is not there.

    :raises SpecError: if the table's catalog is not configured.
    """

    def __init__(self, spark: SparkSession, spec: StageSpec, fingerprint: str) -> None:
        self._spark = spark
        self._target = TableTarget(spark, spec, fingerprint)
        # One for all of the attempt: it reads each version of the table's metadata once.
        self._table = StreamedTable(spark, spec.target)
        self._fenced: FencedTable | None = None
        self.name = spec.target

    def begin(self, columns: DataFrame) -> None:
        """Fence off every older attempt of this stream, for as long as this one goes on.

        :param columns: a frame of the columns that the stream writes.
        :raises SpecError: if it writes no column that its keys name.
        :raises PublishError: if a newer attempt has begun.
        """
        merge = self._target.spec.merge
        if merge is not None:
            check_columns(columns, merge, self.name)
        if not self._spark.catalog.tableExists(self.name):
            self._target.create(columns)
        fenced = self._target.fence_off()
        self._fenced = replace(fenced, place=replace(fenced.place, table=self._table))

    @property
    def fenced(self) -> FencedTable:
        """The table behind this attempt's fence."""
        if self._fenced is None:
            raise RuntimeError("a stream writes only behind its fence")
        return self._fenced

    @property
    def location(self) -> str:
        """Where the table's files lie."""
        return str(iceberg_table(self._spark, self.name).location())

    def main(self) -> int | None:
        """Return the snapshot that readers see."""
        return self.fenced.place.table.metadata().refs.get(MAIN)

    def marks(self) -> Iterator[Mark]:
        """Yield this stream's marks on main, newest first.

        They end where snapshots have expired; the newest is in a property of the table too.
        """
        place = self.fenced.place
        now = place.table.metadata()
        of_history = marks_of_history(now, place.provenance.key)
        newest = next(of_history, None) or mark_of_property(now, self._property)
        if newest is not None:
            yield newest
        yield from of_history

    def batch(self, mark: Mark) -> "BatchOfTable":
        """Return the table as the target of one micro-batch.

        :raises PublishError: if a newer attempt has begun.
        """
        fenced = self.fenced
        provenance = fenced.place.provenance.of_batch(mark)
        place = replace(fenced.place, provenance=provenance, part=f"_b{mark.number}")
        now = place.table.metadata()
        main = now.refs.get(MAIN)
        branch = now.refs.get(place.branch.name)
        if main is not None and branch != main:
            # Somebody else committed to main (a compaction, an author) since the last batch.
            place.table.adopt(place.branch, main)
            branch = main
        return BatchOfTable(self, FencedTable(fenced.spec, place, branch), mark)

    def forward(self, staged: OnBranch, base: int | None, mark: Mark, verdict: Verdict) -> Output:
        """Move main to a judged micro-batch, in one commit that says all of it.

        :param base: the snapshot that the branch was at before the batch.
        :raises PublishError: if a newer attempt has fenced this one off, or main moved in conflict.
        """
        judged = staged.place.provenance.judged(verdict)
        snapshot = staged.written.snapshot
        move = Forward(
            branch=staged.place.branch,
            base=base,
            staged=snapshot,
            summary=judged.as_summary(),
            named=(self._property, mark.as_property(snapshot)),
        )
        version = self._table.forward(move)
        return Output(
            target=self.name,
            rows=staged.rows,
            version=version,
            verdict=judged.verdict,
            note=staged.note,
        )

    def compact(self, mark: Mark) -> Compacted | None:
        """Make the small files of this stream on main into few; None if that is not worth it.

        :param mark: of the last micro-batch on main.
        :raises PublishError: if a newer attempt has fenced this one off.
        :raises Exception: what else went wrong; main is as it was.
        """
        place = self.fenced.place
        mine = place.provenance
        told = {"query": mark.query, "number": mark.number, "at": time()}
        order = Order(
            branch=place.branch,
            key=mine.key,
            summary={COMPACTS: mine.key, RUN: mine.run_id, TRY: mine.try_number},
            named=(f"{_COMPACTED}{place.branch.key}", json.dumps(told)),
        )
        return CompactedTable(self._spark, self.name).compact(order)

    def compacted_at(self, query: str) -> tuple[int, float]:
        """Return behind which micro-batch of a query, and when, this stream last compacted.

        Never: -1, and since when the table has what it has.
        """
        place = self.fenced.place
        now = place.table.metadata()
        text = now.properties.get(f"{_COMPACTED}{place.branch.key}")
        if text is None:
            times = [snapshot["timestamp-ms"] / 1000 for snapshot in now.snapshots.values()]
            return -1, min(times, default=time())
        told = json.loads(text)
        number = int(told["number"])
        if told["query"] != query:
            number = -1  # the stream was started over, and counts anew
        return number, float(told["at"])

    def end(self) -> None:
        """Remove the attempt's refs: nothing of it is under way any more."""
        branch = self.fenced.place.branch
        self.fenced.place.table.drop(branch.name, branch.token)

    @property
    def _property(self) -> str:
        return f"{_LAST}{self.fenced.place.branch.key}"


@dataclass(frozen=True)
class BatchOfTable:
    """A :class:`~.targets.target.Fenced` for one micro-batch."""

    table: StreamTable
    fenced: FencedTable
    mark: Mark

    def write_aside(self, output: object, gate: Gate) -> "StagedBatch":
        """Write the batch to the attempt's branch, in one pass.

        :raises SpecError: if it drops or retypes a column of the table.
        :raises PublishError: if a newer attempt has begun.
        """
        staged = self.fenced.write_aside(output, gate)
        if isinstance(staged, MergedTable):
            raise SpecError(f"{self.fenced.spec.target}: of a stream, the rows are judged")
        base = self.fenced.base
        if base is None:
            # Its branch was gone as it began; written to, it would have been made anew.
            place = self.fenced.place
            raise fenced_off(place.table.name, place.table.metadata(), place.branch)
        return StagedBatch(self.table, staged, self.mark, base)

    def discard(self) -> None:
        """Drop what was written aside; the token stays."""
        self.fenced.discard()


@dataclass(frozen=True)
class StagedBatch:
    """A :class:`~.targets.target.Staged` micro-batch."""

    table: StreamTable
    staged: OnBranch | InSidecar | RowsToMerge
    mark: Mark
    base: int
    let_through: Outcome = "published"

    @property
    def frame(self) -> DataFrame:
        """The frame that reads the batch back."""
        return self.staged.frame

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return self.staged.rows

    @property
    def facts(self) -> FileFacts | None:
        """What the written files say of themselves."""
        return self.staged.facts

    def without(self, broken: Column) -> "StagedBatch":
        """Write the batch aside anew, without the rows that a condition is true of.

        :raises PublishError: if a newer attempt has begun.
        """
        kept = ~F.coalesce(broken, F.lit(False))
        if isinstance(self.staged, InSidecar):
            return replace(self, staged=aside_without(self.staged, kept))
        if isinstance(self.staged, RowsToMerge):
            return replace(self, staged=to_merge_without(self.staged, kept))
        return replace(self, staged=added_without(self.staged, kept, self.base))

    def publish(self, judgement: Judgement) -> Output:
        """Move main to the batch, in one commit; new columns are in the table before it.

        :raises PublishError: if a newer attempt has fenced this one off, or main moved in conflict.
        """
        staged = self.staged
        if isinstance(staged, RowsToMerge):
            return staged.publish_by(partial(self._forward_merged, staged, judgement.verdict))
        if isinstance(staged, OnBranch):
            return self.table.forward(staged, self.base, self.mark, judgement.verdict)
        with staged.on_branch() as copied:
            return self.table.forward(copied, self.base, self.mark, judgement.verdict)

    def _forward_merged(self, aside: RowsToMerge, verdict: Verdict, written: Written) -> Output:
        place = aside.place
        base = snapshot_before(self.mark, place.table.metadata(), place.branch.name)
        merged = OnBranch(place, written, aside.frame, note=aside.note(written))
        return self.table.forward(merged, base, self.mark, verdict)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the batch on its branch: the next attempt judges it anew."""
        return self.staged.hold(judgement)

    def discard(self) -> None:
        """Drop the batch, keeping the fence."""
        self.staged.discard()
