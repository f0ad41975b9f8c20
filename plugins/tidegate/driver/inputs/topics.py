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
from tidegate.driver.jvm import jvm_of
from tidegate.errors import SpecError

_EARLIEST = -2
"""How Spark's source writes the first offset there is."""
_PLACE = ("partition", "offset", "timestamp", "key", "value")


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
    takes = partial(_is_of, spark, read)
    dead = partial(_dead, spark, read)
    again = partial(_as_letters, spark, read)
    if read.format == "raw":
        letters = Letters(None, takes, dead, again)
        return Found(raw.select("value", about), seen, state, letters)
    metric = f"dead_{read.name}"
    letters = Letters(metric, takes, dead, again)
    messages = parsed(raw, read.format, str(read.schema))
    newest = F.unix_millis(F.max("timestamp")).alias("newest")
    counted = messages.observe(metric, F.count_if(BAD).alias("dead"), newest)
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


def _is_of(spark: SparkSession, read: KafkaRead, span: Span) -> bool:
    """Tell whether offsets that Spark wrote are of these topics."""
    told = set(_offsets(span.end))
    if read.pattern:
        # As the source does: by Java's reading of it, anywhere in the name.
        pattern = jvm_of(spark).java.util.regex.Pattern.compile(read.kafka)
        return bool(told) and all(pattern.matcher(topic).find() for topic in told)
    return bool(told) and told <= set(read.topics)


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
    bad = parsed(_messages(spark, read, span), read.format, str(read.schema)).where(BAD)
    source = F.col("topic").alias("source")
    return bad.select(source, *_PLACE, reason(read.format).alias("reason"))


def _as_letters(spark: SparkSession, read: KafkaRead, span: Span) -> DataFrame:
    """Return all messages between two offsets."""
    return _messages(spark, read, span).select(F.col("topic").alias("source"), *_PLACE)


def _messages(spark: SparkSession, read: KafkaRead, span: Span) -> DataFrame:
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
    return spark.read.format("kafka").options(**options).load()
