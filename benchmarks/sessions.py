"""A local Spark session with an Iceberg catalog in a folder, and what ran on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]


def open_session(folder: Path, memory: str = "4g", packages: str = "") -> SparkSession:
    """Start local[2] with this project's spark-defaults.conf, its warehouse moved to ``folder``.

    :param packages: further ones, by their Maven coordinates.
    """
    builder = SparkSession.builder.master("local[2]").appName("tidegate-benchmark")
    for line in (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            key, value = line.split(maxsplit=1)
            if packages and key == "spark.jars.packages":
                value = f"{value},{packages}"
            builder = builder.config(key, value)
    builder = builder.config("spark.sql.catalog.lake.warehouse", str(folder / "lake"))
    builder = builder.config("spark.driver.memory", memory).config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


@dataclass
class Cost:
    """What a piece of work cost: wall seconds, executor CPU seconds, Spark jobs."""

    wall: float = 0.0
    cpu: float = 0.0
    jobs: int = 0


@contextmanager
def measured(spark: SparkSession) -> Iterator[Cost]:
    """Measure what runs inside."""
    cost = Cost()
    jobs, cpu, began = _jobs(spark), _cpu(spark), monotonic()
    yield cost
    cost.wall = monotonic() - began
    spark._jsc.sc().listenerBus().waitUntilEmpty()  # type: ignore[union-attr]
    cost.cpu, cost.jobs = _cpu(spark) - cpu, _jobs(spark) - jobs


def _store(spark: SparkSession) -> Any:
    return spark._jsc.sc().statusStore()  # type: ignore[union-attr]


def _jobs(spark: SparkSession) -> int:
    return int(_store(spark).jobsList(None).size())


def _cpu(spark: SparkSession) -> float:
    context: Any = spark.sparkContext
    stages = _store(spark).stageList(
        None, False, False, context._gateway.new_array(context._jvm.double, 0), None
    )
    return sum(stages.apply(index).executorCpuTime() for index in range(stages.size())) / 1e9
