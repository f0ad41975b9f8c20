"""A local Spark session with an Iceberg catalog in a folder, and what ran on it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]


def open_session(
    folder: Path, memory: str = "4g", packages: str = "", conf: Mapping[str, str] | None = None
) -> SparkSession:
    """Start local[2] with this project's spark-defaults.conf, its warehouse moved to ``folder``.

    :param packages: further ones, by their Maven coordinates.
    :param conf: what else to set; it comes last, so it wins.
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
    # Jobs are counted: by default, Spark forgets a hundred whenever there are a thousand.
    builder = builder.config("spark.ui.retainedJobs", "1000000")
    for key, value in (conf or {}).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


@dataclass
class Cost:
    """What a piece of work cost: wall and executor CPU seconds, Spark jobs, megabytes read."""

    wall: float = 0.0
    cpu: float = 0.0
    jobs: int = 0
    read: float = 0.0


def middle(costs: list[Cost]) -> Cost:
    """Return the medians of repeated measurements."""
    return Cost(*(median(getattr(c, name) for c in costs) for name in vars(costs[0])))


@contextmanager
def measured(spark: SparkSession) -> Iterator[Cost]:
    """Measure what runs inside."""
    cost = Cost()
    jobs = _jobs(spark)
    cpu = _cpu(spark)
    read = _read(spark)
    began = monotonic()
    yield cost
    cost.wall = monotonic() - began
    cost.read = _read(spark) - read
    spark._jsc.sc().listenerBus().waitUntilEmpty()  # type: ignore[union-attr]
    cost.jobs = _jobs(spark) - jobs
    cost.cpu = _cpu(spark) - cpu


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


def _read(spark: SparkSession) -> float:
    """Return the megabytes that the JVM has asked of the system; Spark's own count misses most.

    Parquet's columns are read in other threads than the task's, whose bytes Spark does not see.
    """
    context: Any = spark.sparkContext
    counts = Path(f"/proc/{context._gateway.proc.pid}/io").read_text(encoding="ascii")
    return int(counts.split()[1]) / 2**20
