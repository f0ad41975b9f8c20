"""What Spark knows of a streaming query at work and PySpark does not tell."""

import json
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery


def observed(spark: SparkSession, query: str, name: str) -> int:
    """Return the first number that the micro-batch under way has observed under a name.

    Borrowed (``_jsq``, ``lastExecution``) because PySpark tells it when the micro-batch is over:
    too late to publish what it counts. Without it, every batch would be read twice.
    """
    found = spark.streams.get(query)
    if found is None:
        return 0
    metrics = found._jsq.streamingQuery().lastExecution().observedMetrics()
    if not metrics.contains(name):
        return 0
    return int(metrics.apply(name).getLong(0))


def progress_behind(query: StreamingQuery, number: int) -> list[dict[str, Any]]:
    """Return what a query told of its micro-batches behind one, as Spark's JSON, newest first.

    Borrowed (``_jsq``) because PySpark fetches all of the last hundred to tell of the newest;
    without it, each look at a stream costs as much as a commit.
    """
    recent = query._jsq.recentProgress()
    found: list[dict[str, Any]] = []
    for place in reversed(range(len(recent))):
        if recent[place].batchId() <= number:
            break
        found.append(json.loads(recent[place].json()))
    return found
