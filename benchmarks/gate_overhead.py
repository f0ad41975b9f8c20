"""What judging costs on top of the write: ours, and stock Great Expectations after the write.

5,000,000 rows of 8 columns on an Iceberg table, 12 expectations, good data and data with 0.1 %
faults.
"""

import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.clock import Clock
from benchmarks.sessions import Cost, measured, middle, open_session
from benchmarks.stock import validate
from benchmarks.tables import show

ASKED = sys.argv[1:] if __name__ == "__main__" else []
"""Rows and repeats; other benchmarks borrow from here, and have arguments of their own."""
ROWS = int(ASKED[0]) if ASKED else 5_000_000
REPEATS = int(ASKED[1]) if len(ASKED) > 1 else 5
FAULTS = {"good": 0, "0.1 % faults": 1000}
TABLE = "lake.bench.orders"


def expectation(kind: str, **kwargs: Any) -> dict[str, Any]:
    """Return one expectation as suite JSON."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "warning"}


UNIQUE = expectation("column_values_to_be_unique", column="id")
EXPECTATIONS = [
    expectation("column_values_to_not_be_null", column="id"),
    expectation("column_values_to_not_be_null", column="customer"),
    expectation("column_values_to_not_be_null", column="amount"),
    expectation("column_values_to_be_between", column="amount", min_value=0, max_value=1000),
    expectation("column_values_to_be_between", column="quantity", min_value=1, max_value=50),
    expectation(
        "column_values_to_be_in_set", column="status", value_set=["new", "paid", "sent", "done"]
    ),
    expectation(
        "column_values_to_match_regex", column="code", regex="^[A-Z]{2}-[0-9]{4}$", mostly=0.99
    ),
    expectation("table_row_count_to_be_between", min_value=1, max_value=10 * ROWS),
    expectation("column_mean_to_be_between", column="amount", min_value=400, max_value=600),
    expectation(
        "table_columns_to_match_set",
        column_set=["id", "customer", "amount", "quantity", "status", "code", "opened", "closed"],
    ),
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
    expectation("column_max_to_be_between", column="id", max_value=10 * ROWS),
    expectation("table_row_count_to_be_between", min_value=1, max_value=10 * ROWS),
]
"""Rules that the files' own metadata can prove, of good data."""
SUITES = {
    "(b) gated, 11 rules": EXPECTATIONS,
    "(b) gated, 12 with unique": [*EXPECTATIONS, UNIQUE],
    "(b) gated, 6 that metadata proves": PROVEN,
}


def make(spark: SparkSession, every: int, path: str, rows: int = ROWS) -> DataFrame:
    """Write the source as Parquet and read it back.

    :param every: one row in so many is faulty in five columns; 0: none is.
    """
    bad = (F.col("id") % every == 7) if every else F.lit(False)
    status = F.element_at(
        F.array(*map(F.lit, ("new", "paid", "sent", "done"))), (F.col("id") % 4 + 1).cast("int")
    )
    code = F.concat(F.lit("AB-"), F.lpad((F.col("id") % 10_000).cast("string"), 4, "0"))
    spark.range(0, rows, numPartitions=8).select(
        F.when(bad, F.col("id") - 1).otherwise(F.col("id")).alias("id"),
        F.when(~bad, F.col("id") * 7919 % 100_003).alias("customer"),
        F.when(bad, F.lit(-1.0)).otherwise(F.rand(7) * 1000).alias("amount"),
        (F.col("id") % 50 + 1).cast("int").alias("quantity"),
        F.when(bad, F.lit("???")).otherwise(status).alias("status"),
        F.when(bad, F.lit("broken")).otherwise(code).alias("code"),
        F.timestamp_seconds(F.col("id")).alias("opened"),
        F.timestamp_seconds(F.col("id") + F.when(bad, F.lit(-60)).otherwise(F.lit(60))).alias(
            "closed"
        ),
    ).write.mode("overwrite").parquet(path)
    return spark.read.parquet(path)


def write_alone(spark: SparkSession, data: DataFrame) -> None:
    """Replace the rows of the table, unjudged: (a)."""
    data.writeTo(TABLE).overwrite(F.lit(True))


def gated(
    spark: SparkSession, data: DataFrame, expectations: list[dict[str, Any]], number: int
) -> dict[str, float]:
    """Run a stage's own steps (b) from the fence to the publish; return the seconds of each."""
    return judged(spark, data, expectations, number).steps


def judged(
    spark: SparkSession, data: DataFrame, expectations: list[dict[str, Any]], number: int
) -> Clock:
    """Run a stage's own steps from the fence to the publish; return their seconds and verdict."""
    from tidegate.contract import Attempt, Output, StageSpec, Suite
    from tidegate.driver.gate import open_gate
    from tidegate.driver.targets.settle import settle
    from tidegate.driver.targets.table import TableTarget

    suite = Suite(name="bench", document={"name": "bench", "expectations": expectations})
    attempt = Attempt(
        dag_id="b",
        task_id="b",
        run_id=f"r{number}",
        map_index=-1,
        try_number=1,
        generation=0,
        submitted_ms=number,
    )
    spec = StageSpec(
        kind="batch",
        attempt=attempt,
        reads=(),
        suite=suite,
        params={},
        folder="",
        writes=f"{TABLE}_gated",
    )
    clock = Clock()
    with clock.step("fence"):
        gate = open_gate(spark, suite, {})
        begun = TableTarget(spark, spec, f"f{number}").begin()
    assert not isinstance(begun, Output)
    settle(begun, data, gate, clock)
    return clock


def stock(spark: SparkSession, data: DataFrame, *, persist: bool) -> None:
    """Write, then run (c, d) Great Expectations as its documentation has it, on the table."""
    write_alone(spark, data)
    validate(spark.table(TABLE), [*EXPECTATIONS, UNIQUE], persist=persist)


STOCK = {"(c) write, then stock GX": True, "(d) the same, persist=False": False}


def main() -> None:
    """Measure each variant on good and faulty data; print them as multiples of the write alone."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    spark = open_session(folder)
    # Imported once: its seconds are the start-up's, not the gate's.
    import great_expectations  # noqa: F401

    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    numbers = count(1)
    for kind, every in FAULTS.items():
        data = make(spark, every, str(folder / f"source{every}"))
        data.limit(0).writeTo(TABLE).using("iceberg").createOrReplace()
        write_alone(spark, data)
        gated(spark, data, EXPECTATIONS, next(numbers))
        costs: dict[str, list[Cost]] = {}
        steps: dict[str, list[dict[str, float]]] = {}
        for _ in range(REPEATS):
            with measured(spark) as cost:
                write_alone(spark, data)
            costs.setdefault("(a) write alone", []).append(cost)
            for name, suite in SUITES.items():
                with measured(spark) as cost:
                    step = gated(spark, data, suite, next(numbers))
                steps.setdefault(name, []).append(step)
                costs.setdefault(name, []).append(cost)
        for name, persist in STOCK.items():
            with measured(spark) as cost:
                stock(spark, data, persist=persist)
            costs[name] = [cost]
        rows += table(kind, costs)
        for name, own in steps.items():
            parts = ", ".join(f"{step} {median(s[step] for s in own):.2f}" for step in own[0])
            notes.append(f"{kind}, {name}: seconds by step: {parts}")
    show("gate_overhead", rows, notes)
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


def table(kind: str, costs: dict[str, list[Cost]]) -> list[dict[str, Any]]:
    """Return a row a variant, as multiples of the write alone."""
    base = middle(costs["(a) write alone"])
    rows = []
    for name, found in costs.items():
        cost = middle(found)
        rows.append(
            {
                "data": kind,
                "variant": name,
                "wall s": cost.wall,
                "executor CPU s": cost.cpu,
                "jobs": int(cost.jobs),
                "wall / (a)": cost.wall / base.wall,
                "CPU / (a)": cost.cpu / base.cpu,
            }
        )
    return rows


if __name__ == "__main__":
    main()
