"""What is written aside, written anew without some of its rows."""

from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.merged import RowsToMerge
from tidegate.driver.targets.table.metadata import MAIN
from tidegate.driver.targets.table.staged import (
    InSidecar,
    OnBranch,
    Written,
    added_records,
    write_branch,
)
from tidegate.driver.targets.table.writes import Append, Place


def added_without(staged: OnBranch, kept: Column, base: int) -> OnBranch:
    """Write anew, to its branch, those of the added rows that are kept.

    :param base: where the branch was before them.
    :raises PublishError: if a newer attempt has begun.
    """
    place = staged.place
    # Back to where it was, and written anew: what a filter deletes, Iceberg cannot pick onto a
    # main that others have moved. The rows are read from the snapshot that the branch leaves.
    place.table.adopt(place.branch, base)
    written = write_branch(staged.frame.where(kept), Append(), place)
    if written.snapshot is None:
        nothing = place.spark.table(place.table.name).limit(0)
        return replace(staged, written=written, frame=nothing)
    frame = Append().rows_of(place, written.snapshot, base)
    return replace(staged, written=written, frame=frame)


def aside_without(staged: InSidecar, kept: Column) -> InSidecar:
    """Write anew, to its sidecar, those of the rows that are kept."""
    return replace(staged, written=_only(staged.frame.where(kept), staged.place))


def to_merge_without(staged: RowsToMerge, kept: Column) -> RowsToMerge:
    """Write anew, to its sidecar, those of the rows to merge that are kept."""
    written = _only(staged.all_rows.where(kept), staged.place)
    counted = replace(staged.place.provenance, rows=written.rows)
    place = replace(staged.place, provenance=counted)
    return replace(staged, place=place, snapshot=written.snapshot, rows=written.rows)


def _only(rows: DataFrame, place: Place) -> Written:
    """Replace the rows of a sidecar, which they are read from, at the snapshot of before."""
    # A sidecar has one writer, and no reader but its attempt: nothing fences this commit.
    place.writer(rows, place.sidecar).overwrite(F.lit(True))
    after = BranchedTable(place.spark, place.sidecar).metadata()
    return Written(after.refs[MAIN], added_records(after, MAIN))
