"""Several shuffles as one Spark job."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

_ADAPTIVE = "spark.sql.adaptive.enabled"
_PARTITIONS = "spark.sql.shuffle.partitions"


@contextmanager
def one_job(spark: SparkSession, partitions: int | None = None) -> Iterator[None]:
    """Have what runs inside be one job, and not one for each shuffle.

    :param partitions: of each shuffle, where it is known how little is shuffled: adaptive
        execution, which else joins them, is what starts the further jobs.
    """
    wanted = {_ADAPTIVE: "false"}
    if partitions is not None:
        wanted[_PARTITIONS] = str(partitions)
    before: dict[str, Any] = {key: spark.conf.get(key) for key in wanted}
    for key, value in wanted.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)
