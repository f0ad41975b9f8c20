"""A topic of a real broker with orders in it, and what a stream of it takes."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from demo.stream.broker import Broker
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.listener import StreamingQueryListener

from benchmarks.gate_overhead import expectation
from benchmarks.sessions import ROOT, open_session

KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1"
PARTITIONS = 4
"""Each size of a micro-batch is a multiple of it: no small one is left over."""
COLUMNS = (
    "id BIGINT, customer BIGINT, amount DOUBLE, quantity INT, status STRING, code STRING, "
    "opened TIMESTAMP, closed TIMESTAMP"
)
NAMES = [column.split()[0] for column in COLUMNS.split(", ")]
JOB = "def run(orders):\n    return orders.drop('_kafka')\n"
SUITE = [
    expectation("column_values_to_not_be_null", column="id"),
    expectation("column_values_to_not_be_null", column="customer"),
    expectation("column_values_to_not_be_null", column="amount"),
    expectation("column_values_to_be_between", column="amount", min_value=0, max_value=1000),
    expectation("column_values_to_be_between", column="quantity", min_value=1, max_value=50),
    expectation(
        "column_values_to_be_in_set", column="status", value_set=["new", "paid", "sent", "done"]
    ),
    expectation("column_values_to_match_regex", column="code", regex="^[A-Z]{2}-[0-9]{4}$"),
    expectation("table_row_count_to_be_between", min_value=1),
    expectation("column_mean_to_be_between", column="amount", min_value=400, max_value=600),
    expectation("table_columns_to_match_set", column_set=NAMES),
    expectation(
        "column_pair_values_a_to_be_greater_than_b",
        column_A="closed",
        column_B="opened",
        or_equal=True,
    ),
]
PROVEN = [
    expectation("column_values_to_not_be_null", column="id"),
    expectation("column_values_to_not_be_null", column="amount"),
    expectation("column_values_to_be_between", column="amount", min_value=0, max_value=1000),
    expectation("column_values_to_be_between", column="quantity", min_value=1, max_value=50),
    expectation("table_row_count_to_be_between", min_value=1),
]
"""Rules that the files' own metadata can prove, of good data."""
_numbers = count(1)


class Clock(StreamingQueryListener):
    """Notes how long each micro-batch took, as Spark itself says; the same for every way."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.rows: list[int] = []

    def onQueryStarted(self, event: Any) -> None:
        """Do nothing."""

    def onQueryProgress(self, event: Any) -> None:
        """Note a micro-batch."""
        if event.progress.numInputRows:
            self.seconds.append(event.progress.durationMs["triggerExecution"] / 1000)
            # By the offsets: a micro-batch that is read several times counts its rows as often.
            (source,) = json.loads(event.progress.json)["sources"]
            taken = _messages(source["endOffset"]) - _messages(source["startOffset"])
            self.rows.append(taken)

    def onQueryIdle(self, event: Any) -> None:
        """Do nothing."""

    def onQueryTerminated(self, event: Any) -> None:
        """Do nothing."""


@dataclass
class Took:
    """What streams took: seconds and rows of their micro-batches, and CPU seconds in all.

    Of each stream, the first micro-batch counts for the CPU alone: queries and suites are planned
    in it.
    """

    seconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    cpu: float = 0.0
    batches: int = 0

    @property
    def batch(self) -> float:
        """The median of the seconds of a micro-batch."""
        return median(self.seconds)

    @property
    def rate(self) -> float:
        """Rows a second."""
        return sum(self.rows) / sum(self.seconds)

    def add(self, clock: Clock, cpu: float) -> None:
        """Add what one stream took."""
        self.batches += len(clock.rows)
        self.seconds += clock.seconds[1:]
        self.rows += clock.rows[1:]
        self.cpu += cpu


@dataclass
class Bench:
    """A session, a broker and a folder."""

    spark: SparkSession
    broker: Broker
    folder: Path

    def topic(self, messages: int) -> str:
        """Return a new topic of so many orders, spread evenly over its partitions."""
        name = f"orders{next(_numbers)}"
        self.broker.topic(name, PARTITIONS)
        partition = (F.col("id") % PARTITIONS).cast("int").alias("partition")
        rows = self.spark.range(messages).select(partition, F.to_json(_order()).alias("value"))
        writer = rows.write.format("kafka").option("topic", name)
        writer.option("kafka.bootstrap.servers", self.broker.servers).save()
        return name

    def orders(self, topic: str, size: int) -> DataFrame:
        """Return the stream of the orders, as one writes it without tidegate."""
        reader = self.spark.readStream.format("kafka").option("subscribe", topic)
        reader = reader.option("kafka.bootstrap.servers", self.broker.servers)
        reader = reader.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", size)
        value = F.from_json(F.col("value").cast("string"), COLUMNS)
        return reader.load().select(value.alias("order")).select("order.*")

    @contextmanager
    def timed(self, took: Took) -> Iterator[None]:
        """Time the micro-batches, and the CPU, of the one stream that runs inside."""
        clock = Clock()
        self.spark.streams.addListener(clock)
        began = _cpu()
        yield
        # The last progress comes behind the query's end.
        self.spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
        self.spark.streams.removeListener(clock)
        took.add(clock, _cpu() - began)


def _messages(offsets: dict[str, dict[str, int]] | None) -> int:
    """Return how many messages lie before offsets of Kafka's; none before the first there are."""
    counted = 0
    for partitions in (offsets or {}).values():
        counted += sum(partitions.values())
    return counted


def _order() -> Column:
    status = F.element_at(
        F.array(*map(F.lit, ("new", "paid", "sent", "done"))), (F.col("id") % 4 + 1).cast("int")
    )
    code = F.concat(F.lit("AB-"), F.lpad((F.col("id") % 10_000).cast("string"), 4, "0"))
    return F.struct(
        "id",
        (F.col("id") * 7919 % 100_003).alias("customer"),
        (F.rand(7) * 1000).alias("amount"),
        (F.col("id") % 50 + 1).cast("int").alias("quantity"),
        status.alias("status"),
        code.alias("code"),
        F.timestamp_seconds(F.col("id")).alias("opened"),
        F.timestamp_seconds(F.col("id") + 60).alias("closed"),
    )


def _cpu() -> float:
    """Return the CPU seconds of this process and of all it started, without the broker."""
    me = psutil.Process()
    spent = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            if "kafka.Kafka" in process.cmdline():
                continue
            times = process.cpu_times()
        except psutil.Error:  # it has ended
            continue
        spent += times.user + times.system
    return spent


@contextmanager
def opened(memory: str = "4g", name: str = "stream_bench") -> Iterator[Bench]:
    """Open a session and a broker in a folder of this name, which goes with them."""
    folder = ROOT / ".tidegate" / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "broker").mkdir(parents=True)
    with Broker(folder / "broker") as broker:
        spark = open_session(folder, memory, packages=KAFKA)
        try:
            yield Bench(spark, broker, folder)
        finally:
            spark.stop()
    shutil.rmtree(folder, ignore_errors=True)
