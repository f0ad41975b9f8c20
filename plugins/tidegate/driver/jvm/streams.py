"""What Spark knows of a streaming query at work and PySpark does not tell."""

from pyspark.sql import SparkSession


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
