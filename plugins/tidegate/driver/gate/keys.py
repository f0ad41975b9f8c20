"""Exact uniqueness of keys, of any type and of several columns, from the key columns alone.

No window over rows, as Great Expectations has it. First the suspects, cheaply: whole numbers that
lie close together as bits, one word shuffled for 64 keys; any other key by a number of 64 bits that
stands for it. Nobody is suspect if and only if all are unique. Only the rows of suspects are then
grouped by their true keys.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ByteType, DateType, IntegerType, LongType, ShortType, TimestampType

from tidegate.driver.gate.one_job import one_job

_WHOLE = (ByteType, ShortType, IntegerType, LongType)
_FIXED = (*_WHOLE, DateType, TimestampType)
_SPARSEST = 8
"""Bits are worth it up to so many of them for each key."""
_SMALL = 1 << 20
_KEYS_A_PARTITION = 1_000_000
"""So many keys are sorted in memory by one task."""
_MOST_SUSPECTS = 400_000
"""Of more suspects than that, all rows are grouped by their true keys: most are guilty then."""
_PLACE_IN_PARTITION = (1 << 33) - 1
"""The lower bits of ``monotonically_increasing_id``."""


@dataclass(frozen=True)
class Bounds:
    """The smallest and largest of whole-number keys, and how many there are."""

    low: int
    high: int
    count: int

    @property
    def is_dense(self) -> bool:
        """Whether the keys lie close enough together for one bit each."""
        return self.high - self.low + 1 <= _SPARSEST * self.count + _SMALL


@dataclass(frozen=True)
class Repeated:
    """How many rows share their key with another, and at most ``wanted`` of those keys."""

    rows: int
    keys: tuple[tuple[Any, ...], ...]


def is_whole(rows: DataFrame, key: Column) -> bool:
    """Tell whether a key is a whole number, so that its bounds are worth asking for."""
    return isinstance(_type_of(rows, key), _WHOLE)


def repeated(
    rows: DataFrame,
    keys: Sequence[Column],
    bounds: Bounds | None,
    count: int | None,
    wanted: int,
) -> Repeated:
    """Return the rows whose keys are not unique: how many, and the first keys, row by row.

    :param bounds: of a single whole-number key, if they are known.
    :param count: how many rows there are at the most, if that is known.
    :param wanted: how many keys at the most; the order is that of Great Expectations' own window.
    """
    named = rows.select(*[key.alias(f"k{place}") for place, key in enumerate(keys)])
    spark = rows.sparkSession
    stand_in, suspects = _suspects(named, bounds)
    with sized(spark, count):
        most = _MOST_SUSPECTS // int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
        ((total, first),) = _counted(suspects, most).collect()
    if not total:
        return Repeated(0, ())
    suspected = named.withColumn("stand_in", stand_in)
    if total == len(first):
        few = spark.createDataFrame([(each,) for each in first], "stand_in LONG")
        # Said to Spark, which would else shuffle every key to meet them.
        suspected = suspected.join(F.broadcast(few), "stand_in", "left_semi")
    return _shared(suspected, named.columns, wanted)


def sized(spark: SparkSession, count: int | None) -> AbstractContextManager[None]:
    """Have one job do it, with as few partitions as so many keys need, if that is known."""
    if count is None:
        return nullcontext()
    partitions = max(spark.sparkContext.defaultParallelism, count // _KEYS_A_PARTITION)
    return one_job(spark, partitions)


def _counted(suspects: DataFrame, most: int) -> DataFrame:
    """Return one row: how many suspects there are, and the first ``most`` of each partition."""
    placed = suspects.withColumn("at", F.monotonically_increasing_id())
    early = F.col("at").bitwiseAND(_PLACE_IN_PARTITION) < most
    return placed.agg(F.count(F.lit(1)), F.collect_list(F.when(early, F.col("stand_in"))))


def _shared(suspected: DataFrame, names: Sequence[str], wanted: int) -> Repeated:
    groups = suspected.groupBy(*names).agg(F.count(F.lit(1)).alias("rows")).where("rows > 1")
    # As the window does it: by partitions of the key's hash, and sorted within each.
    placed = groups.sortWithinPartitions(*names).withColumn("at", F.monotonically_increasing_id())
    early = F.col("at").bitwiseAND(_PLACE_IN_PARTITION) < wanted
    shown = F.collect_list(F.when(early, F.struct("at", "rows", *names)))
    ((total, first),) = placed.agg(F.sum("rows"), shown).collect()
    return Repeated(total or 0, _row_by_row(first, wanted))


def _row_by_row(groups: Sequence[Any], wanted: int) -> tuple[tuple[Any, ...], ...]:
    shown: list[tuple[Any, ...]] = []
    for group in sorted(groups, key=lambda group: int(group["at"])):
        key = tuple(group)[2:]
        shown += [key] * min(group["rows"], wanted)
    return tuple(shown[:wanted])


def _suspects(named: DataFrame, bounds: Bounds | None) -> tuple[Column, DataFrame]:
    """Return what stands for a key, and the values of it that more than one row may share."""
    if bounds is not None and bounds.is_dense:
        word = F.shiftright(F.col("k0").cast("long"), 6)
        low_bits = F.col("k0").cast("long").bitwiseAND(63).cast("int")
        bit = F.call_function("shiftleft", F.lit(1).cast("long"), low_bits)
        words = named.groupBy(word.alias("stand_in")).agg(
            F.bit_or(bit).alias("bits"), F.count(F.lit(1)).alias("rows")
        )
        return word, words.where(F.bit_count("bits") < F.col("rows")).select("stand_in")
    number = _number_of(named)
    by_number = Window.partitionBy("stand_in")
    numbers = named.select(number.alias("stand_in"))
    counted = numbers.withColumn("rows", F.count(F.lit(1)).over(by_number))
    return number, counted.where("rows > 1").select("stand_in").distinct()


def _number_of(named: DataFrame) -> Column:
    """Return 64 bits that are equal for equal keys."""
    keys = [F.col(name) for name in named.columns]
    if len(keys) == 1 and isinstance(_type_of(named, keys[0]), _FIXED):
        # A null shares its number with another key: suspects, which their true keys tell apart.
        return F.coalesce(_as_long(keys[0], _type_of(named, keys[0])), F.lit(0))
    return F.xxhash64(*keys)


def _as_long(key: Column, data_type: Any) -> Column:
    if isinstance(data_type, DateType):
        return F.unix_date(key).cast("long")
    if isinstance(data_type, TimestampType):
        return F.unix_micros(key)
    return key.cast("long")


def _type_of(rows: DataFrame, key: Column) -> Any:
    return rows.select(key).schema[0].dataType
