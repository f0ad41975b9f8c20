"""Messages that do not parse: counted as they pass, and found again by their offsets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidegate.errors import SpecError

UNREADABLE = "_corrupt"
"""Where Spark puts what it cannot parse, while it parses."""
PARSED = "_parsed"
BAD = "_bad"
LETTER = (
    "source STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, value BINARY, "
    "reason STRING"
)
"""The columns of the dead letters."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of one input: from an offset to another, as Spark writes them; or some files."""

    start: str
    end: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Letters:
    """How the messages of an input that do not parse are counted and found.

    :param metric: the name that they are counted under, in every micro-batch; None of an input
        whose messages all parse.
    :param takes: whether a part of some input is of this one.
    :param within: the dead letters of a part of the input.
    :param messages: all messages of a part of the input, as letters without a reason; None if they
        have no offsets, by which one could be told from the other.
    """

    metric: str | None
    takes: Callable[[Span], bool]
    within: Callable[[Span], DataFrame]
    messages: Callable[[Span], DataFrame] | None = None


def parsed(frame: DataFrame, format_: str, schema: str) -> DataFrame:
    """Return a frame of messages with what their ``value`` says, and whether it says it.

    :raises SpecError: if Spark lacks what reads the format.
    """
    text = F.col("value").cast("string")
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": UNREADABLE}
    if format_ == "avro":
        made = frame.withColumn(PARSED, _of_avro(schema))
        # What is no Avro comes as a record of nulls.
        names = made.select(f"{PARSED}.*").columns
        empty = [F.col(PARSED).getField(name).isNull() for name in names]
        return made.withColumn(BAD, reduce(and_, empty))
    read = {"json": F.from_json, "csv": F.from_csv}[format_]
    made = frame.withColumn(PARSED, read(text, f"{schema}, {UNREADABLE} STRING", options))
    unread = F.col(f"{PARSED}.{UNREADABLE}").isNotNull()
    return made.withColumn(BAD, F.col("value").isNull() | F.col(PARSED).isNull() | unread)


def _of_avro(schema: str) -> Column:
    try:
        from pyspark.sql.avro.functions import from_avro

        return from_avro(F.col("value"), schema, {"mode": "PERMISSIVE"})
    except TypeError as missing:
        # PySpark calls what the jar would bring.
        raise SpecError(
            "format 'avro': Spark lacks it; add org.apache.spark:spark-avro_2.13 of Spark's own "
            "version to spark.jars.packages"
        ) from missing


def reason(format_: str) -> Column:
    """Return why a message is a dead letter."""
    empty = F.col("value").isNull() | (F.length("value") == 0)
    return F.when(empty, F.lit("it has no value")).otherwise(
        F.lit(f"its value is no {format_} of the schema")
    )
