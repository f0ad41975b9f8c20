"""Uniqueness of whole-number keys: counted as bits, so that one word is shuffled for 64 keys."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ByteType, IntegerType, LongType, ShortType

_WHOLE = (ByteType, ShortType, IntegerType, LongType)
_SPARSEST = 8
_SMALL = 1 << 20


def surely_unique(rows: DataFrame, key: str) -> bool:
    """Tell whether it could be shown cheaply that no two ``rows``, none with a NULL key, share one.

    ``False`` says nothing: there are duplicates, or the keys are not whole numbers lying close
    together.
    """
    column = F.col(key)
    if not isinstance(rows.select(column).schema[0].dataType, _WHOLE):
        return False
    low, high, count = rows.agg(F.min(column), F.max(column), F.count(column)).collect()[0]
    if not count:
        return True
    span = high - low + 1
    if span < count or span > _SPARSEST * count + _SMALL:
        return False
    return bool(_distinct(rows, column.cast("long")) == count)


def _distinct(rows: DataFrame, key: Column) -> int:
    """Count distinct numbers exactly: each is one bit of a word, shared with 63 neighbours."""
    bit = F.call_function("shiftleft", F.lit(1).cast("long"), key.bitwiseAND(63).cast("int"))
    words = rows.groupBy(F.shiftright(key, 6)).agg(F.bit_or(bit).alias("bits"))
    distinct: int = words.agg(F.sum(F.bit_count("bits"))).collect()[0][0]
    return distinct
