"""What Spark keeps of an attempt's work: RDDs in memory and on disk, folders of checkpoints."""

from collections.abc import Collection
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from tidegate.driver.jvm.hadoop import located


def kept_rdds(spark: SparkSession) -> frozenset[int]:
    """Return the ids of all RDDs that are kept.

    Borrowed (``getPersistentRDDs``) because PySpark lists none; without it, what a graph kept stays
    until Java's garbage collector comes by.
    """
    return frozenset(map(int, _persistent(spark)))


def release_rdds(spark: SparkSession, spared: Collection[int]) -> None:
    """Let go of every RDD that is kept, but for ``spared``; borrowed for the same reason."""
    for number, rdd in list(_persistent(spark).items()):
        if int(number) not in spared:
            rdd.unpersist()


def _persistent(spark: SparkSession) -> Any:
    context: Any = spark.sparkContext._jsc
    return context.getPersistentRDDs()


def reaches(spark: SparkSession, folder: str) -> bool:
    """Tell whether Hadoop has a file system for ``folder``; borrowed as in :func:`remove_folders`.

    Iceberg has file systems of its own, which Spark's checkpoints cannot use.
    """
    try:
        located(spark, folder)
    except Py4JJavaError:  # no class for the scheme, or one that finds no credentials
        return False
    return True


def remove_folders(spark: SparkSession, pattern: str) -> None:
    """Remove the folders of a name or glob, and all in them, on whatever Hadoop reaches.

    Borrowed (``globStatus``) as in :func:`~.hadoop.located`; without it, a cluster's checkpoints
    would pile up.
    """
    files, path = located(spark, pattern)
    for status in files.globStatus(path) or ():
        files.delete(status.getPath(), True)
