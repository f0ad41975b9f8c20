"""Kafka's topics, as a stream of messages."""

import json
from functools import partial
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Input, KafkaRead
from tidegate.contract.feeds import ABOUT
from tidegate.driver.inputs.found import Found
from tidegate.driver.inputs.letters import BAD, PARSED, UNREADABLE, Letters, Span, parsed, reason
from tidegate.errors import SpecError

_EARLIEST = -2
"""How Spark's source writes the first offset there is."""


def open_topics(spark: SparkSession, read: KafkaRead) -> Found:
    """Open topics: the columns of the schema, and in ``_kafka`` all else that a message has.

    Messages that do not parse are left out and counted.

    :raises SpecError: if Spark has no Kafka source, or the schema has a column ``_kafka``.
    """
    reader = spark.readStream.format("kafka").options(**_options(read))
    try:
        raw = reader.options(**_start(read)).load()
    except AnalysisException as error:
        if "kafka" not in str(error):
            raise
        raise SpecError(
            f"input {read.name!r}: Spark has no Kafka source; add "
            f"org.apache.spark:spark-sql-kafka-0-10_2.13:{spark.version} to spark.jars.packages"
        ) from error
    seen = Input(name=read.name, source=read.source)
    state = f"stream {read.source}"
    about = F.struct("topic", "partition", "offset", "timestamp", "key", "headers").alias(ABOUT)
    if read.format == "raw":
        return Found(raw.select("value", about), seen, state)
    found = partial(_dead, spark, read)
    letters = Letters(f"dead_{read.name}", partial(_is_of, read), found)
    messages = parsed(raw, read.format, str(read.schema))
    newest = F.unix_millis(F.max("timestamp")).alias("newest")
    counted = messages.observe(letters.metric, F.count_if(BAD).alias("dead"), newest)
    good = counted.where(~F.col(BAD)).select(f"{PARSED}.*", about)
    if good.columns.count(ABOUT) > 1:
        raise SpecError(f"input {read.name!r}: its schema has a column {ABOUT}; rename it")
    return Found(good.drop(UNREADABLE), seen, state, letters)


def _options(read: KafkaRead) -> dict[str, str]:
    """Return the options that a stream and a look at a part of it share."""
    subscribe = "subscribePattern" if read.pattern else "subscribe"
    return {
        "failOnDataLoss": "true",  # what is gone is never passed over in silence
        "includeHeaders": "true",
        **read.options,
        "kafka.bootstrap.servers": str(read.servers),
        subscribe: read.kafka,
    }


def _start(read: KafkaRead) -> dict[str, str]:
    if read.starting in ("earliest", "latest"):
        return {"startingOffsets": read.starting}
    return {
        "startingTimestamp": str(read.starting_ms()),
        "startingOffsetsByTimestampStrategy": "latest",
    }


def _is_of(read: KafkaRead, offset: str) -> bool:
    """Tell whether an offset that Spark wrote is of these topics."""
    told = _offsets(offset)
    return bool(told) and (read.pattern or set(told) <= set(read.topics))


def _offsets(text: str) -> dict[str, Any]:
    """Return the offsets of each topic's partitions; nothing of another source's."""
    try:
        told = json.loads(text)
    except ValueError:  # "-", where there is none yet
        return {}
    offsets = {topic: each for topic, each in told.items() if isinstance(each, dict)}
    return offsets


def _dead(spark: SparkSession, read: KafkaRead, span: Span) -> DataFrame:
    """Return the dead letters between two offsets."""
    begun = _offsets(span.start)
    ended = _offsets(span.end)
    first = {}
    for topic, partitions in ended.items():
        known = begun.get(topic, {})
        # A partition that was added meanwhile is read from its beginning.
        first[topic] = {number: known.get(number, _EARLIEST) for number in partitions}
    options = _options(read)
    options.pop("subscribePattern", None)
    options |= {
        "subscribe": ",".join(ended),
        "startingOffsets": json.dumps(first),
        "endingOffsets": json.dumps(ended),
    }
    raw = spark.read.format("kafka").options(**options).load()
    bad = parsed(raw, read.format, str(read.schema)).where(BAD)
    place = ("partition", "offset", "timestamp", "key", "value")
    return bad.select(F.col("topic").alias("source"), *place, reason(read.format).alias("reason"))
