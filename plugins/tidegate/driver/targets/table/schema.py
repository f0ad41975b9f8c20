"""Fitting a stage's output to the table it is written to: a column may be added, never dropped or retyped."""

from collections.abc import Mapping
from typing import Any

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

from tidegate.errors import SpecError

_WIDER: dict[type[DataType], tuple[type[DataType], ...]] = {
    ByteType: (ShortType, IntegerType, LongType),
    ShortType: (IntegerType, LongType),
    IntegerType: (LongType,),
    FloatType: (DoubleType,),
}
OUTSIDE = "row outside the stage's partition"
"""Marks the error that a row of another partition raises while it is written."""


def with_partition(
    frame: DataFrame, partition: Mapping[str, str], table: StructType | None
) -> DataFrame:
    """Return ``frame`` with its partition columns: added where the job leaves them out, checked where it has them.

    A row of another partition raises (``OUTSIDE``) in the write itself: it would replace somebody
    else's data.
    """
    for name, value in partition.items():
        known = _field(frame.schema, name) or (_field(table, name) if table else None)
        literal = F.lit(value) if known is None else F.lit(value).cast(known)
        frame = frame.withColumn(
            name, literal if _field(frame.schema, name) is None else _checked(name, literal)
        )
    return frame


def _checked(name: str, literal: Column) -> Column:
    column = F.col(name)
    text = F.concat(F.lit(f"{OUTSIDE}: {name}="), F.coalesce(column.cast("string"), F.lit("NULL")))
    return F.when(column.eqNullSafe(literal), column).otherwise(F.raise_error(text))


def _field(schema: StructType, name: str) -> DataType | None:
    return next((f.dataType for f in schema.fields if f.name.lower() == name.lower()), None)


def fit(frame: DataFrame, table: StructType, name: str) -> tuple[DataFrame, list[str]]:
    """Return ``frame`` with its columns in the table's order and new ones last, and the names of the new ones.

    :raises SpecError: if a column of the table is missing or has a type that does not widen to the
        table's.
    """
    missing = [f.name for f in table.fields if _field(frame.schema, f.name) is None]
    if missing:
        raise SpecError(
            f"{name}: the job dropped {missing}; it returned {frame.columns}. Readers count on every column: bring it "
            f"back, or drop it from the table first (ALTER TABLE {name} DROP COLUMN …)"
        )
    retyped = [
        f"{f.name}: {f.dataType.simpleString()} → {given.simpleString()}"
        for f in table.fields
        if (given := _field(frame.schema, f.name)) and not _widens(given, f.dataType)
    ]
    if retyped:
        raise SpecError(
            f"{name}: the job retyped {retyped} (table → job); cast in the job, or write a new column"
        )
    old = {f.name.lower() for f in table.fields}
    added = [c for c in frame.columns if c.lower() not in old]
    return frame.select(
        [F.col(f"`{f.name}`").alias(f.name) for f in table.fields]
        + [F.col(f"`{c}`") for c in added]
    ), added


def _widens(given: DataType, to: DataType) -> bool:
    if type(to) in _WIDER.get(type(given), ()):
        return True
    return bool(_nullable(given) == _nullable(to))


def _nullable(kind: DataType) -> Any:
    """Return a type's JSON with nullability and metadata left out: neither makes two columns incompatible."""

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            ignored = {"nullable", "metadata", "containsNull", "valueContainsNull"}
            return {key: strip(value) for key, value in node.items() if key not in ignored}
        return [strip(each) for each in node] if isinstance(node, list) else node

    return strip(kind.jsonValue())
