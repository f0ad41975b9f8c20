"""Shortest paths, laid out edge by edge from what every engine tells: the hops that are left."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def routes(edges: DataFrame, hops: DataFrame, source: object, longest: int) -> DataFrame:
    """Return every shortest path from ``source``, as ``path: array<id>``; none beyond ``longest``.

    :param edges: ``src`` and ``dst``.
    :param hops: each ``id`` with its ``hops`` to the target, null if it is out of reach.
    """
    links = edges.distinct()
    starts = hops.where(F.col("id") == F.lit(source).cast(hops.schema["id"].dataType))
    left = _left(starts.where(F.col("hops") <= longest))
    paths = starts.select(F.array("id").alias("path"), F.col("id").alias("last"))
    for nearer in range(left - 1, -1, -1):
        there = hops.where(F.col("hops") == nearer).select(F.col("id").alias("dst"))
        steps = links.join(there, "dst").withColumnRenamed("src", "last")
        longer = F.concat("path", F.array("dst")).alias("path")
        paths = paths.join(steps, "last").select(longer, F.col("dst").alias("last"))
    return paths.select("path").where(F.lit(left >= 0))


def _left(starts: DataFrame) -> int:
    """Return the hops of the one row, or -1 without a row."""
    found = [row["hops"] for row in starts.collect()]
    return max(found, default=-1)
