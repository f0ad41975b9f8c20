"""Rows put aside to be merged, and tables that came of a merge: judged before or after it.

The rows lie in a sidecar, so that the job's plan runs once and what is merged is what was judged:
the files of a merge hold rows that it only copied, and say nothing of the output.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Merge, Outcome, Output
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.targets.provenance import FINGERPRINT
from tidegate.driver.targets.table.branches import fenced_off
from tidegate.driver.targets.table.file_facts import facts_of_added, facts_of_live
from tidegate.driver.targets.table.merge import MergeRows, check_keys, to_store
from tidegate.driver.targets.table.metadata import MAIN
from tidegate.driver.targets.table.staged import (
    OnBranch,
    Written,
    evolve,
    move,
    put_aside,
    put_away,
    write_branch,
)
from tidegate.driver.targets.table.writes import Place
from tidegate.errors import PublishError, require

_MOST = 5
"""So often is a merge made anew because others published meanwhile; then the retry has its turn."""
_COUNTS = "spark.merge-into.num-target-rows-"
_COUNTED = ("inserted", "updated", "deleted")


@dataclass(frozen=True)
class RowsToMerge:
    """Rows that are judged as they are, and merged once they have passed.

    :param added: the columns that the table does not have yet.
    :param snapshot: the sidecar's, which holds them; None if there are none.
    """

    place: Place
    merge: Merge
    added: list[str]
    snapshot: int | None
    rows: int
    let_through: Outcome = field(default="published", init=False)

    def as_asked(self) -> "RowsToMerge | MergedTable":
        """Return what the gate is to see: these rows, or the table that comes of them.

        :raises PublishError: if a newer attempt has begun.
        """
        if self.merge.judge == "table":
            return merged_table(self)
        return self

    @property
    def all_rows(self) -> DataFrame:
        """What the job returned, as it was put aside."""
        reader = self.place.spark.read
        if self.snapshot is not None:
            reader = reader.option("versionAsOf", self.snapshot)
        return reader.table(self.place.sidecar)

    @property
    def frame(self) -> DataFrame:
        """The rows that will be stored."""
        return to_store(self.all_rows, self.merge)

    @property
    def facts(self) -> FileFacts | None:
        """What the written files say of themselves; with rows to remove among them, nothing."""
        if self.merge.deletes is not None:
            return None
        if self.snapshot is None:
            return FileFacts(rows=0)
        return facts_of_added(self.place.spark, self.place.sidecar, self.snapshot)

    def publish(self, judgement: Judgement) -> Output:
        """Add the columns, merge the rows with the table of now, and move main.

        :raises PublishError: if a newer attempt has fenced this one off, or others published faster
            than the merge could be made anew.
        """
        place = self.place
        judged = place.provenance.judged(judgement.verdict)

        def moved(written: Written) -> Output:
            # As on a branch: what a kill leaves between these two commits, a retry publishes.
            place.table.label(place.branch, judged.as_summary())
            return move(place, written, judged, self.note(written))

        return self.publish_by(moved)

    def publish_by(self, moved: Callable[[Written], Output]) -> Output:
        """Add the columns, merge the rows with the table of now, and move main.

        :param moved: moves main to what the merge has left on the branch.
        :raises PublishError: as :meth:`publish` does.
        """
        with put_away(self.place):
            if self.added:
                evolve(self.frame, self.added, self.place)
            done = self._merged(moved)
            # Last: until main has moved, the sidecar is what a merge made anew is made of.
            self.place.drop_sidecar()
        return done

    def _merged(self, moved: Callable[[Written], Output]) -> Output:
        left = _MOST
        while True:
            written = merge_on_branch(self)
            try:
                return moved(written)
            except PublishError:
                left -= 1
                if left == 0 or not _is_behind(self.place):
                    raise

    def hold(self, judgement: Judgement) -> Output:
        """Leave the judged rows in the sidecar; nothing was merged."""
        return Output(
            target=self.place.table.name,
            rows=self.rows,
            version=self.snapshot,
            previous=self.place.table.metadata().refs.get(MAIN),
            held_at=self.place.sidecar,
        )

    def discard(self) -> None:
        """Drop the rows, keeping the fence, where judging them failed."""
        self.place.discard()

    def note(self, written: Written) -> str:
        """Say what became of the table's rows, and which columns are new."""
        told = merged_note(self.merge, written, self.place)
        if not self.added:
            return told
        return f"{told}; added column {', '.join(self.added)}"


@dataclass(frozen=True)
class MergedTable(OnBranch):
    """The table that came of a merge, on the attempt's branch."""

    @property
    def facts(self) -> FileFacts | None:
        """What all files of the merged table say; with rows deleted beside them, nothing.

        :raises PublishError: if the table was dropped, or made anew, while this attempt worked.
        """
        table = self.place.table
        now = table.metadata()
        head = self.written.snapshot
        if head is None or head not in now.snapshots:
            raise fenced_off(table.name, now, self.place.branch)
        return facts_of_live(self.place.spark, table.name, head)


def rows_to_merge(frame: DataFrame, merge: Merge, added: list[str], place: Place) -> RowsToMerge:
    """Write a frame to the sidecar, once, and make sure that its rows can be merged.

    :raises SpecError: if the table is to be judged, and lacks a column.
    :raises DataError: if a key is null, or names more than one row.
    :raises PublishError: if a newer attempt has begun.
    """
    table = place.table.name
    require(
        not (merge.judge == "table" and added),
        f"{table}: the job added {added}, which no reader may see before a verdict, and "
        f"judge='table' wants them in the table by then; add them first (ALTER TABLE {table} ADD "
        "COLUMN …), or judge the rows",
    )
    written = put_aside(frame, place)
    counted = replace(place, provenance=replace(place.provenance, rows=written.rows))
    aside = RowsToMerge(counted, merge, added, written.snapshot, written.rows)
    check_keys(aside.all_rows, merge, written.rows, table)
    return aside


def merged_table(aside: RowsToMerge) -> MergedTable:
    """Merge rows into the branch before they are judged.

    :raises PublishError: if a newer attempt has begun.
    """
    place = aside.place
    written = merge_on_branch(aside)
    place.drop_sidecar()
    # A merge of no rows may leave no snapshot of its own; the table is then as it was.
    head = written.snapshot or place.table.metadata().refs[place.branch.name]
    frame = place.read(versionAsOf=head)
    note = merged_note(aside.merge, written, place)
    return MergedTable(place, Written(head, aside.rows), frame, note=note)


def merge_on_branch(aside: RowsToMerge) -> Written:
    """Merge rows into the attempt's branch, as main is now.

    :raises PublishError: if a newer attempt has begun.
    """
    place = aside.place
    try:
        if _is_behind(place):
            # Others have published since the branch was opened. Merged with the rows of then, what
            # they added would be there twice, or be lost.
            place.table.adopt(place.branch, place.table.metadata().refs[MAIN])
        written = write_branch(aside.all_rows, MergeRows(aside.merge), place)
    except (Py4JJavaError, PySparkException) as error:
        # A branch that is gone is a failed merge to Spark.
        now = place.table.metadata()
        if place.branch.token in now.refs:
            raise
        raise fenced_off(place.table.name, now, place.branch) from error
    return Written(written.snapshot, aside.rows)


def merged_note(merge: Merge, written: Written, place: Place) -> str:
    """Say what became of the table's rows, as Spark counted it."""
    told = f"merged by {', '.join(merge.keys)}"
    if written.snapshot is None:
        return told
    summary = place.table.metadata().summary(written.snapshot)
    counts = [f"{summary.get(_COUNTS + what, '?')} {what}" for what in _COUNTED]
    return f"{told}: {', '.join(counts)}"


def _is_behind(place: Place) -> bool:
    """Tell whether main is another than when the branch was opened, and the fence still stands."""
    now = place.table.metadata()
    summary = place.provenance.as_summary()
    base = now.base(place.branch.name, summary[FINGERPRINT])
    return place.branch.token in now.refs and now.refs.get(MAIN) not in (None, base)
