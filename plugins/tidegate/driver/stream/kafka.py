"""What it means that a stream of Kafka's failed, where Spark's own words do not say it."""

import re

from pyspark.sql import SparkSession

from tidegate.driver.diagnose import chain_of
from tidegate.errors import DataError
from tidegate.rules import Fact

_LOSS = "KAFKA_DATA_LOSS"
_OUT_OF_RANGE = "OffsetOutOfRangeException"
_PLACE = re.compile(r"offset=(?P<offset>\d+)\b.* for partition (?P<partition>\S+)")
_NO_TOPIC = "UnknownTopicOrPartitionException"
_NO_LATEST = "scala.Option.get()"
_LONGEST = 300


def meaning(error: Exception, spark: SparkSession, sources: str) -> DataError | None:
    """Return the error that says what is wrong with the topics; None if it is something else.

    :param sources: what the stream reads, as a person would name it.
    """
    chain = chain_of(error, spark)
    # The deepest says which offset it was.
    for fact in reversed(chain):
        if fact.name == _OUT_OF_RANGE or (fact.condition or "").startswith(_LOSS):
            return _lost(fact)
    for fact in chain:
        if fact.name == _NO_TOPIC or _NO_TOPIC in fact.text:
            return DataError(
                f"{sources}: the broker knows no such topic; create it, or mend the name", quote=""
            )
    return None


def is_restart_fault(error: Exception, spark: SparkSession) -> bool:
    """Tell whether Spark failed at nothing but to tell how far behind a stream is.

    Spark 4.1.1 does, behind the first micro-batch of a query that goes on with one which it had
    begun before: by then the micro-batch is settled and noted.
    """
    last = chain_of(error, spark)[-1]
    return last.name == "NullPointerException" and _NO_LATEST in last.text


def _lost(fact: Fact) -> DataError:
    gone = " ".join(fact.text.split())[:_LONGEST]
    found = _PLACE.search(fact.text)
    if found is not None:
        gone = f"offset {found['offset']} of partition {found['partition']} is gone."
    return DataError(
        f"Kafka has lost messages that this stream has not read: {gone} Nothing was passed over. "
        "Restore them, or begin anew where the topic begins now: run with the param "
        "start_over=true, and what is on main and still in the topic comes twice",
        quote="",
        condition=fact.condition,
    )
