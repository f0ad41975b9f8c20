"""A gate of its own over data that lies there: ours and Great Expectations, file format by format.

``python -m benchmarks.gate_operator [rows] [repeats]``. Everything is a multiple of reading the
data once, whole, to nowhere.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from benchmarks import stock
from benchmarks.clock import Clock
from benchmarks.gate_overhead import EXPECTATIONS, FAULTS, PROVEN, TABLE, UNIQUE, make
from benchmarks.sessions import Cost, measured, middle, open_session
from benchmarks.tables import show
from tidegate.contract import Attempt, Output, StageSpec, Suite, parse_read
from tidegate.driver.gate import open_gate
from tidegate.driver.inputs import open_inputs
from tidegate.driver.targets import open_target
from tidegate.driver.targets.settle import settle

SUITES = {"12 rules": [*EXPECTATIONS, UNIQUE], "6 that metadata proves": PROVEN}
Rules = list[dict[str, Any]]
_numbers = count(1)


def ours(spark: SparkSession, source: Any, rules: Rules) -> stock.Counts:
    """Judge as the driver of a ``GateOperator`` does, from opening the input to the verdict."""
    attempt = Attempt(
        dag_id="b",
        task_id="b",
        run_id=f"r{next(_numbers)}",
        map_index=-1,
        try_number=1,
        generation=0,
        submitted_ms=0,
    )
    spec = StageSpec(
        kind="gate",
        attempt=attempt,
        reads=(parse_read("orders", source),),
        suite=Suite(name="bench", document={"name": "bench", "expectations": rules}),
        params={},
        folder="",
    )
    opened = open_inputs(spark, spec.reads)
    gate = open_gate(spark, spec.suite, {})
    begun = open_target(spark, spec, "", opened.inputs).begin()
    assert not isinstance(begun, Output)
    clock = Clock()
    settle(begun, opened.offered["orders"], gate, clock)
    assert clock.judgement is not None
    return stock.ours(clock.judgement)


def land(spark: SparkSession, data: DataFrame, folder: str) -> dict[str, tuple[Any, Any]]:
    """Lay the data down in each format; return what a stage reads, and how anybody reads it."""
    data.write.mode("overwrite").parquet(f"{folder}/parquet")
    data.write.mode("overwrite").csv(f"{folder}/csv", header=True)
    data.writeTo(TABLE).using("iceberg").createOrReplace()
    schema = ", ".join(f"{name} {type_}" for name, type_ in data.dtypes)
    csv = {"path": f"{folder}/csv", "format": "csv", "schema": schema}
    return {
        "Parquet": (
            {"path": f"{folder}/parquet", "format": "parquet"},
            partial(spark.read.parquet, f"{folder}/parquet"),
        ),
        "CSV": (csv, partial(spark.read.csv, f"{folder}/csv", schema=schema, header=True)),
        "Iceberg": (TABLE, partial(spark.table, TABLE)),
    }


def compared(
    spark: SparkSession, what: str, source: Any, read: Callable[[], DataFrame], repeats: int
) -> list[dict[str, Any]]:
    """Return a row a suite and way."""

    def whole() -> stock.Counts:
        read().write.format("noop").mode("overwrite").save()
        return {}

    def stocked(rules: Rules, *, persist: bool) -> stock.Counts:
        return stock.validate(read(), rules, persist=persist)

    ways: dict[tuple[str, str], Callable[[], stock.Counts]] = {("", "one whole read"): whole}
    for name, rules in SUITES.items():
        ways[name, "ours"] = partial(ours, spark, source, rules)
        ways[name, "GX persist=False"] = partial(stocked, rules, persist=False)
        ways[name, "GX as documented"] = partial(stocked, rules, persist=True)
    costs: dict[tuple[str, str], list[Cost]] = {}
    counts = {}
    for _ in range(repeats):
        for key, way in ways.items():
            with measured(spark) as cost:
                counts[key] = way()
            costs.setdefault(key, []).append(cost)
    base = middle(costs["", "one whole read"])
    rows = []
    for (suite, way), found in costs.items():
        cost = middle(found)
        equal = counts[suite, way] == counts.get((suite, "ours"), {})
        rows.append(
            {
                "data": what,
                "suite": suite,
                "way": way,
                "wall s": cost.wall,
                "wall / read": cost.wall / base.wall,
                "CPU / read": cost.cpu / base.cpu,
                "jobs": int(cost.jobs),
                "MB read": cost.read,
                "counts as ours": "yes" if equal else "no",
            }
        )
    return rows


def main() -> None:
    """Measure every format and print the table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    spark = open_session(folder)
    # Imported once: its seconds are the start-up's, not the gate's.
    import great_expectations  # noqa: F401

    warm = land(spark, make(spark, 1000, str(folder / "warm"), 50_000), str(folder / "w"))
    for source, read in warm.values():
        compared(spark, "", source, read, 1)
    rows: list[dict[str, Any]] = []
    for kind, every in FAULTS.items():
        data = make(spark, every, str(folder / f"source{every}"), size)
        for format_, (source, read) in land(spark, data, str(folder / f"l{every}")).items():
            rows += compared(spark, f"{format_}, {kind}", source, read, repeats)
    notes = [
        f"{size:,} rows x 8 columns, medians of {repeats}",
        "MB read: what the JVM asked of the system, metadata and shuffles included",
        "ours refuses CSV lines that do not parse (FAILFAST); plain Spark reads nulls there",
    ]
    show("gate_operator", rows, notes)
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
