"""The gate over a store with latency: an S3 server on loopback that lets each request wait.

``python -m benchmarks.gate_s3 [rows] [repeats] [milliseconds …]``. Iceberg's own S3 client writes
the table, its catalog is in SQLite, the source is local. The server shares the machine: walls
compare ways, and tell little of a real store's bandwidth.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from benchmarks import stock
from benchmarks.fetched import fetched
from benchmarks.gate_overhead import (
    EXPECTATIONS,
    FAULTS,
    PROVEN,
    TABLE,
    UNIQUE,
    gated,
    make,
    write_alone,
)
from benchmarks.sessions import Cost, measured, middle, open_session
from benchmarks.tables import show

SERVER = ["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"]
PACKAGES = (
    "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0",
    "org.apache.iceberg:iceberg-aws-bundle:1.12.0",  # a tenth of what hadoop-aws needs
    "org.xerial:sqlite-jdbc:3.50.3.0",
)
_numbers = count(1)


class Server:
    """The S3 server, in a process of its own."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str) -> int:
        """Send one of the server's own requests; return how many others it has answered."""
        with urlopen(f"{self.address}/{path}") as answer:
            return int(answer.read())


@contextmanager
def serving() -> Iterator[Server]:
    """Serve an empty bucket, ``lake``, while this is open."""
    packages = fetched("s3", SERVER)
    command = [sys.executable, str(Path(__file__).parent / "slow_s3.py"), "lake"]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(packages)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Server(int(process.stdout.readline()))
        finally:
            process.kill()


def conf(server: Server, folder: Path) -> dict[str, str]:
    """Return what puts the catalog ``lake`` on the server."""
    lake = {
        "type": "jdbc",
        "uri": f"jdbc:sqlite:{folder}/catalog.db",
        "jdbc.schema-version": "V1",
        "warehouse": "s3://lake/tables",
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "s3.endpoint": server.address,
        "s3.path-style-access": "true",
        "s3.access-key-id": "nobody",
        "s3.secret-access-key": "nothing",
        "client.region": "us-east-1",
    }
    named = {f"spark.sql.catalog.lake.{key}": value for key, value in lake.items()}
    return {"spark.jars.packages": ",".join(PACKAGES), **named}


def observed(spark: SparkSession, data: DataFrame) -> None:
    """Write while observing the counts of the eleven rules; examples would be one more reading."""
    wrong = [
        F.col("id").isNull(),
        F.col("customer").isNull(),
        F.col("amount").isNull(),
        ~F.col("amount").between(0, 1000),
        ~F.col("quantity").between(1, 50),
        ~F.col("status").isin("new", "paid", "sent", "done"),
        ~F.col("code").rlike("^[A-Z]{2}-[0-9]{4}$"),
        F.col("closed") < F.col("opened"),
    ]
    counts = [F.count_if(each).alias(f"wrong{place}") for place, each in enumerate(wrong)]
    values = [F.col("amount"), F.col("quantity"), F.col("status"), F.col("code")]
    seen = [F.count(each).alias(f"seen{place}") for place, each in enumerate(values)]
    observation = Observation(f"rules{next(_numbers)}")
    write_alone(
        spark,
        data.observe(observation, F.count(F.lit(1)), F.mean("amount"), *seen, *counts),
    )
    assert observation.get


def expectations(spark: SparkSession, data: DataFrame) -> None:
    """Write, then run Great Expectations with ``persist=False`` over the eleven rules."""
    write_alone(spark, data)
    stock.validate(spark.table(TABLE), EXPECTATIONS, persist=False)


def compared(
    spark: SparkSession, server: Server, what: str, data: DataFrame, repeats: int
) -> list[dict[str, Any]]:
    """Measure each way so often; return a row a way."""

    def gate(rules: list[dict[str, Any]]) -> None:
        gated(spark, data, rules, next(_numbers))

    ways: dict[str, Callable[[], object]] = {
        "write alone": partial(write_alone, spark, data),
        "stage, no rules": partial(gate, []),
        "ours, 11 rules": partial(gate, EXPECTATIONS),
        "ours, 12 with unique": partial(gate, [*EXPECTATIONS, UNIQUE]),
        "ours, 6 proven": partial(gate, PROVEN),
        "df.observe, 11 rules": partial(observed, spark, data),
        "GX persist=False, 11 rules": partial(expectations, spark, data),
    }
    costs: dict[str, list[Cost]] = {}
    requests: dict[str, int] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            before = server.ask("_requests")
            with measured(spark) as cost:
                way()
            requests[name] = server.ask("_requests") - before
            costs.setdefault(name, []).append(cost)
    return table(what, costs, requests)


def table(
    what: str, costs: dict[str, list[Cost]], requests: dict[str, int]
) -> list[dict[str, Any]]:
    """Return a row a way, beside the write alone."""
    write = middle(costs["write alone"])
    rows = []
    for name, found in costs.items():
        cost = middle(found)
        rows.append(
            {
                "data": what,
                "way": name,
                "wall s": cost.wall,
                "over write s": cost.wall - write.wall,
                "wall / write": cost.wall / write.wall,
                "CPU / write": cost.cpu / write.cpu,
                "jobs": int(cost.jobs),
                "requests": requests[name],
            }
        )
    return rows


def main() -> None:
    """Measure each delay on good and faulty data; print the table."""
    asked = [int(each) for each in sys.argv[1:]]
    size = asked[0] if asked else 1_000_000
    repeats = asked[1] if len(asked) > 1 else 3
    delays = asked[2:] or [0, 20, 50]
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    rows: list[dict[str, Any]] = []
    with serving() as server:
        spark = open_session(folder, conf=conf(server, folder))
        # Imported once: its seconds are the start-up's, not the gate's.
        import great_expectations  # noqa: F401

        for kind, every in FAULTS.items():
            data = make(spark, every, str(folder / f"source{every}"), size)
            data.limit(0).writeTo(TABLE).using("iceberg").createOrReplace()
            if kind == "good":
                compared(spark, server, "", data, 1)  # warms the JVM
            for delay in delays:
                server.ask(f"_delay/{delay}")
                rows += compared(spark, server, f"{delay} ms, {kind}", data, repeats)
            server.ask("_delay/0")
        spark.stop()
    notes = [
        f"{size:,} rows x 8 columns, medians of {repeats}; ms: what each request waits",
        "stage, no rules: what fence and publish take. df.observe stands for a write that nothing",
        "fences or publishes, and shows counts only: no examples, nothing of uniqueness",
    ]
    show("gate_s3", rows, notes)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
