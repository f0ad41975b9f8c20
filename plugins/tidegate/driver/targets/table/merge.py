"""Rows merged into a table by their keys: what they must be, and the write itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from tidegate.contract import Merge
from tidegate.driver.gate.keys import repeated
from tidegate.driver.targets.table.metadata import Metadata
from tidegate.driver.targets.table.names import column, quoted
from tidegate.driver.targets.table.writes import Place
from tidegate.errors import DataError, require

_OURS = "tidegate_source_"
"""Begins the names of the rows that are merged: they and the table's stand in one condition."""
_GONE = f"{_OURS}gone"
_PROPERTY = "spark.sql.iceberg.snapshot-property."
_EXAMPLES = 3
_LOOKED_AT = 20
"""So many rows are asked for their keys, of which several may share one."""


def check_columns(frame: DataFrame, merge: Merge, target: str) -> None:
    """Refuse an output without the columns that a merge asks for.

    :raises SpecError: naming those that are missing, or the type of ``deletes``.
    """
    types = {field.name.lower(): field.dataType for field in frame.schema.fields}
    named = [*merge.keys, *unstored_names(merge)]
    missing = [name for name in named if name.lower() not in types]
    require(
        not missing,
        f"{target}: the merge asks for the columns {missing}; the job returned {frame.columns}",
    )
    if merge.deletes:
        given = types[merge.deletes.lower()]
        told = f"{target}: deletes={merge.deletes!r} is {given.simpleString()}; return a boolean"
        require(isinstance(given, BooleanType), told)


def stored_names(frame: DataFrame, merge: Merge) -> list[str]:
    """Return the columns of an output that its table holds."""
    unstored = [name.lower() for name in unstored_names(merge)]
    return [name for name in frame.columns if name.lower() not in unstored]


def unstored_names(merge: Merge) -> list[str]:
    """Return the columns that only say what to do with a row: one at the most."""
    return list(filter(None, [merge.deletes]))


def to_store(frame: DataFrame, merge: Merge) -> DataFrame:
    """Return the rows that a merge writes, as the table will hold them; none that it removes."""
    kept = frame.where(~_gone(merge))
    return kept.select(*map(column, stored_names(frame, merge)))


def check_keys(rows: DataFrame, merge: Merge, count: int, target: str) -> None:
    """Refuse rows that a merge could not tell apart, before any of them reaches the table.

    :param count: how many rows there are.
    :raises DataError: if a key is null, or names more than one row.
    """
    named = ", ".join(merge.keys)
    # Where the files say that they hold no null, none of them is read for this.
    unnamed = rows.where(reduce(or_, [column(key).isNull() for key in merge.keys])).count()
    if unnamed:
        raise DataError(
            f"{target}: {unnamed:,} of {count:,} rows have a null in their key ({named}); leave "
            "such rows out in the job, or give them a key",
            quote="",
        )
    shared = repeated(rows, list(map(column, merge.keys)), None, count, _LOOKED_AT)
    if shared.rows:
        distinct = list(dict.fromkeys(shared.keys))
        shown = ", ".join(f"({', '.join(map(str, key))})" for key in distinct[:_EXAMPLES])
        raise DataError(
            f"{target}: {shared.rows:,} of {count:,} rows share their key ({named}) with another; "
            "a merge needs one row a key: choose it in the job",
            quote=f"e.g. {shown[:200]}",
        )


@dataclass(frozen=True)
class MergeRows:
    """Replaces the rows whose key is in the output, removes those it says, and adds all others."""

    merge: Merge

    def write(self, frame: DataFrame, place: Place, now: Metadata) -> None:
        """Merge into the branch."""
        names = stored_names(frame, self.merge)
        ours = {name: f"{_OURS}{number}" for number, name in enumerate(names)}
        renamed = [column(name).alias(own) for name, own in ours.items()]
        rows = frame.select(*renamed, _gone(self.merge).alias(_GONE))
        # By name, whatever the order of the table's columns is by now.
        values = {quoted(name): F.col(own) for name, own in ours.items()}
        same = [column(key) == F.col(_own(ours, key)) for key in self.merge.keys]
        with _saying(place.spark, place.provenance.as_summary()):
            writer = rows.mergeInto(place.name, reduce(and_, same))
            writer = writer.whenMatched(F.col(_GONE)).delete()
            writer = writer.whenMatched().update(values)
            writer.whenNotMatched(~F.col(_GONE)).insert(values).merge()

    def rows_of(self, place: Place, staged: int, base: int | None) -> DataFrame:
        """Read the table that came of the merge: the branch."""
        return place.read(versionAsOf=staged)


def _own(ours: Mapping[str, str], key: str) -> str:
    return {name.lower(): own for name, own in ours.items()}[key.lower()]


def _gone(merge: Merge) -> Column:
    if merge.deletes is None:
        return F.lit(False)
    return F.coalesce(column(merge.deletes), F.lit(False))


@contextmanager
def _saying(spark: SparkSession, summary: Mapping[str, str]) -> Iterator[None]:
    """Have every snapshot that is written meanwhile say this: a merge's writer takes no options."""
    keys = {f"{_PROPERTY}{key}": value for key, value in summary.items()}
    try:
        for key, value in keys.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key in keys:
            spark.conf.unset(key)
