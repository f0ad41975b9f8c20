"""A stream of Kafka's into a table: ours, the same query written plainly, and plain with stock GX.

In one run, on one broker and the same data. Seconds are Spark's own of each micro-batch, the first
left out: in it queries and suites are planned.
"""

import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from pyspark.sql import DataFrame

from benchmarks.stream_bench import COLUMNS, JOB, PROVEN, SUITE, Bench, Took, opened
from benchmarks.tables import show

ASKED = sys.argv[1:] if __name__ == "__main__" else []
BATCHES = int(ASKED[0]) if ASKED else 20
REPEATS = int(ASKED[1]) if len(ASKED) > 1 else 2
SIZES = (10_000, 1_000)
"""Rows a micro-batch."""
FEW = 5
"""Micro-batches for stock GX, each of which takes many times as long."""
_numbers = count(1)
Way = Callable[[Bench, str, int], None]


def plain(bench: Bench, topic: str, size: int) -> None:
    """Write the stream to a table, unjudged: (a)."""
    number = next(_numbers)
    orders = bench.orders(topic, size)
    name = f"lake.bench.plain{number}"
    bench.spark.createDataFrame([], COLUMNS).writeTo(name).using("iceberg").create()
    writer = orders.writeStream.format("iceberg").outputMode("append")
    writer = writer.option("checkpointLocation", str(bench.folder / f"plain{number}"))
    writer.trigger(availableNow=True).toTable(name).awaitTermination()


def ours(expectations: list[dict[str, Any]]) -> Way:
    """Return our own way (b), whole: an attempt as the driver makes it, in this session."""

    def stream(bench: Bench, topic: str, size: int) -> None:
        number = next(_numbers)
        code, told = attempt(bench, f"lake.bench.ours{number}", (topic, size), expectations)
        assert code == 0, told

    return stream


def attempt(
    bench: Bench, table: str, read: tuple[str, int], expectations: list[dict[str, Any]]
) -> tuple[int, str]:
    """Run one attempt of our stream; return its exit code and its report.

    :param read: the topic, and how many messages a micro-batch.
    """
    from tidegate.contract import Attempt, StageSpec, Stream, Suite, digest, parse_read
    from tidegate.driver.__main__ import run
    from tidegate.store import REPORT, AttemptFiles

    number = next(_numbers)
    folder = bench.folder / f"attempt{number}"
    folder.mkdir()
    job = folder / "job.py"
    job.write_text(JOB, encoding="utf-8")
    topic, size = read
    orders = {"kafka": topic, "servers": bench.broker.servers, "schema": COLUMNS}
    by = {"dag_id": "bench", "task_id": table, "run_id": f"r{number}"}
    spec = StageSpec(
        kind="stream",
        mode="append",
        attempt=Attempt(**by, map_index=-1, try_number=1, generation=0, submitted_ms=number),
        reads=(parse_read("orders", orders),),
        suite=Suite(name="bench", document={"name": "bench", "expectations": expectations}),
        params={},
        folder=str(folder),
        writes=table,
        job=str(job),
        job_sha256=digest(JOB.encode()),
        stream=Stream(max_per_batch=size),
    )
    return run(spec), AttemptFiles(str(folder)).read(REPORT)


def stock(bench: Bench, topic: str, size: int) -> None:
    """Judge each micro-batch as Great Expectations' documentation has it, then write it: (d)."""
    import great_expectations as gx

    number = next(_numbers)
    name = f"lake.bench.stock{number}"
    bench.spark.createDataFrame([], COLUMNS).writeTo(name).using("iceberg").create()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark(f"spark{number}", persist=False)
    whole = source.add_dataframe_asset("orders").add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name=f"bench{number}", expectations=[]))
    for each in SUITE:
        made = gx.expectations.expectation_configuration.ExpectationConfiguration(**each)
        suite.add_expectation_configuration(made)

    def take(frame: DataFrame, _: int) -> None:
        result = whole.get_batch({"dataframe": frame}).validate(suite, result_format="SUMMARY")
        assert result.success
        frame.writeTo(name).append()

    writer = bench.orders(topic, size).writeStream.foreachBatch(take)
    writer = writer.option("checkpointLocation", str(bench.folder / f"stock{number}"))
    writer.trigger(availableNow=True).start().awaitTermination()


PLAIN = "(a) plain"
WAYS: dict[str, Way] = {
    PLAIN: plain,
    "(b) ours, 11 rules": ours(SUITE),
    "(c) ours, 5 that metadata proves": ours(PROVEN),
    "(d) plain, stock GX in foreachBatch": stock,
}


def measure(bench: Bench, size: int) -> list[dict[str, Any]]:
    """Measure each way at so many rows a micro-batch; return a row a way."""
    topic = bench.topic(size * BATCHES)
    short = bench.topic(size * FEW)
    found: dict[str, Took] = {name: Took() for name in WAYS}
    for _ in range(REPEATS):
        for name, way in WAYS.items():
            with bench.timed(found[name]):
                way(bench, short if way is stock else topic, size)
    base = found[PLAIN]
    rows = []
    for name, took in found.items():
        rows.append(
            {
                "way": name,
                "rows a batch": size,
                "batches": took.batches,
                "rows/s": took.rate,
                "s a batch": took.batch,
                "CPU s a batch": took.cpu / took.batches,
                "rows/s / (a)": took.rate / base.rate,
                "s added": took.batch - base.batch,
            }
        )
    return rows


def main() -> None:
    """Warm each way up, measure each at each size, and print the table."""
    rows: list[dict[str, Any]] = []
    with opened() as bench:
        warm = bench.topic(3000)
        for way in WAYS.values():
            way(bench, warm, 1000)
        for size in SIZES:
            rows += measure(bench, size)
    notes = [
        f"{REPEATS} times {BATCHES} micro-batches of each way in turn ({FEW} of stock GX), the "
        "first of each time left out; local[2] and the broker on one machine"
    ]
    show("stream_throughput", rows, notes)


if __name__ == "__main__":
    main()
