"""Rows that break a rule as dead letters: with what is known of the messages they came of.

A row knows its message by the column ``_kafka``, if the job keeps it; the bytes are then read from
the topic again. Of any other row nothing is known but itself.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from tidegate.contract.feeds import ABOUT
from tidegate.driver.gate.rows import RowRule, any_of
from tidegate.driver.inputs.letters import LETTER
from tidegate.driver.targets.table.names import column

PLACE = ("source", "partition", "offset")
"""What names a message."""
_ASKED = ("topic", "partition", "offset")
_AS_JSON = "; its message is not known: value is the row as JSON"


def letters_of(
    rows: DataFrame, rules: Sequence[RowRule], messages: DataFrame | None, source: str | None
) -> DataFrame:
    """Return the dead letters of rows that break rules.

    :param messages: those that the rows may have come of.
    :param source: what all messages come from, if that is one.
    """
    told = [F.when(rule.broken, F.lit(_told(rule))) for rule in rules]
    itself = F.to_json(F.struct(*map(column, rows.columns))).cast("binary")
    bad = rows.where(any_of(rules)).select(
        *_place(rows.schema, source),
        itself.alias("itself"),
        F.concat_ws("; ", *told).alias("broke"),
    )
    if messages is None:
        messages = rows.sparkSession.createDataFrame([], LETTER).drop("reason")
    known = messages.withColumn("is_known", F.lit(True))
    is_known = F.col("is_known").isNotNull()
    by_itself = F.concat("broke", F.lit(_AS_JSON))
    return bad.join(known, list(PLACE), "left").select(
        *PLACE,
        F.coalesce("timestamp", F.current_timestamp()).alias("timestamp"),
        "key",
        F.when(is_known, F.col("value")).otherwise(F.col("itself")).alias("value"),
        F.when(is_known, F.col("broke")).otherwise(by_itself).alias("reason"),
    )


def _told(rule: RowRule) -> str:
    return f"{rule.type} ({', '.join(rule.columns)})"


def _knows(schema: StructType) -> bool:
    """Tell whether rows say of which message they are."""
    if ABOUT not in schema.names:
        return False
    about = schema[ABOUT].dataType
    return isinstance(about, StructType) and set(_ASKED) <= set(about.names)


def _place(schema: StructType, source: str | None) -> list[Column]:
    topic = F.lit(source).cast("string")
    partition = F.lit(None).cast("int")
    offset = F.lit(None).cast("bigint")
    if _knows(schema):
        about = F.col(ABOUT)
        topic = F.coalesce(about["topic"], topic)
        partition = about["partition"].cast("int")
        offset = about["offset"].cast("bigint")
    return [topic.alias("source"), partition.alias("partition"), offset.alias("offset")]
