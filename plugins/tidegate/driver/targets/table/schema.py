"""Fitting a stage's output to the table it is written to.

A column may be added, never dropped or retyped.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ByteType,
    DataType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StructType,
)

from tidegate.contract import StageSpec
from tidegate.driver.targets.table.names import column
from tidegate.errors import require

_WIDER: dict[type[DataType], tuple[type[DataType], ...]] = {
    ByteType: (ShortType, IntegerType, LongType),
    ShortType: (IntegerType, LongType),
    IntegerType: (LongType,),
    FloatType: (DoubleType,),
}
_IGNORED = {"nullable", "metadata", "containsNull", "valueContainsNull"}
_LONGEST_FOLDER = 255
OUTSIDE = "row outside the stage's partition"
"""Marks the error that a row of another partition raises while it is written."""


def with_partition(
    frame: DataFrame, partition: Mapping[str, str], table: StructType | None
) -> DataFrame:
    """Return ``frame`` with its partition columns.

    They are added where the job leaves them out, and checked where it has them. A row of another
    partition raises (``OUTSIDE``) in the write itself: it would replace somebody else's data.
    """
    of_the_job = _types(frame.schema)
    of_the_table = _types(table)
    for name, value in partition.items():
        given = of_the_job.get(name.lower())
        known = given or of_the_table.get(name.lower())
        wanted = F.lit(value)
        if known is not None:
            wanted = wanted.cast(known)
        if given is not None:
            wanted = _checked(name, wanted)
        frame = frame.withColumn(name, wanted)
    return frame


def _checked(name: str, literal: Column) -> Column:
    given = column(name)
    text = F.concat(F.lit(f"{OUTSIDE}: {name}="), F.coalesce(given.cast("string"), F.lit("NULL")))
    return F.when(given.eqNullSafe(literal), given).otherwise(F.raise_error(text))


def check_names(frame: DataFrame, spec: StageSpec) -> None:
    """Refuse names that no table or folder can have, before anything is made of them.

    :raises SpecError: if columns differ by case alone, or a partition makes too long a folder.
    """
    counted = Counter(name.lower() for name in frame.columns)
    twice = [name for name in frame.columns if counted[name.lower()] > 1]
    require(not twice, f"{spec.target}: the columns {twice} differ by case alone; rename them")
    for name, value in spec.partition.items():
        folder = f"{quote_plus(name)}={quote_plus(value)}"
        require(
            len(folder) <= _LONGEST_FOLDER,
            f"{spec.target}: the partition {name[:40]!r} of value {value[:40]!r} makes a "
            f"folder of {len(folder)} bytes, and file systems end at {_LONGEST_FOLDER} bytes; "
            "partition by something shorter",
        )


def _types(schema: StructType | None) -> dict[str, DataType]:
    """Return the type of each column by its name in small letters: Spark tells no case."""
    if schema is None:
        return {}
    return {field.name.lower(): field.dataType for field in schema.fields}


def fit(frame: DataFrame, table: StructType, name: str) -> tuple[DataFrame, list[str]]:
    """Return ``frame`` with its columns in the table's order, and the names of the new ones, last.

    :raises SpecError: if a column of the table is missing or has a type that does not widen to the
        table's.
    """
    if _is_same(frame.schema, table):
        return frame, []
    given = _types(frame.schema)
    missing = [field.name for field in table.fields if field.name.lower() not in given]
    require(
        not missing,
        f"{name}: the job dropped {missing}; it returned {frame.columns}. Readers count on "
        "every column: bring it back (one that parts the table also by the task's partition=), or "
        f"drop it from the table first (ALTER TABLE {name} DROP COLUMN …)",
    )
    retyped = []
    for field in table.fields:
        new = given[field.name.lower()]
        if not _widens(new, field.dataType):
            retyped.append(f"{field.name}: {field.dataType.simpleString()} → {new.simpleString()}")
    require(
        not retyped,
        f"{name}: the job retyped {retyped} (table → job); cast in the job, or write a new column",
    )
    known = _types(table)
    added = [given for given in frame.columns if given.lower() not in known]
    kept = [column(field.name).alias(field.name) for field in table.fields]
    return frame.select(kept + [column(new) for new in added]), added


def _is_same(given: StructType, table: StructType) -> bool:
    """Tell whether columns are a table's own, in its order: nothing is left to do for them."""
    if given.names != table.names:
        return False
    pairs = zip(given.fields, table.fields, strict=True)
    return all(own.dataType == field.dataType for own, field in pairs)


def _widens(given: DataType, to: DataType) -> bool:
    if type(to) in _WIDER.get(type(given), ()):
        return True
    return bool(_bare(given.jsonValue()) == _bare(to.jsonValue()))


def _bare(node: Any) -> Any:
    """Return a type's JSON without nullability and metadata: neither keeps two columns apart."""
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items() if key not in _IGNORED}
    if isinstance(node, list):
        return [_bare(each) for each in node]
    return node
