"""The gate over the bare write: more rows, more rules, more columns.

The sizes are millions of rows: ``python -m benchmarks.gate_scale 1 5`` measures these two, and
``gate_scale wide`` the table of 120 columns alone. Each figure is the median of three, or of as
many as ``--repeats`` says, after a round that warms the JVM.
"""

import shutil
import tempfile
from argparse import ArgumentParser
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.gate_overhead import (
    EXPECTATIONS,
    TABLE,
    UNIQUE,
    expectation,
    gated,
    make,
    write_alone,
)
from benchmarks.sessions import Cost, measured, middle, open_session
from benchmarks.tables import show

PARTS = ("1", "5", "20", "wide")
WIDE = 500_000
_numbers = count(1)


def forty() -> list[dict[str, Any]]:
    """Return forty rules: the eleven, and more of their kind with other bounds."""
    rules = list(EXPECTATIONS)
    for number in range(40 - len(rules)):
        bounds = {"min_value": 0, "max_value": 1000 + number}
        column = ("amount", "quantity", "customer")[number % 3]
        mostly = 1 - number / 1000
        rule = expectation(
            "column_values_to_not_be_in_set", column=column, value_set=[-1 - number], mostly=mostly
        )
        if number % 2:
            rule = expectation("column_mean_to_be_between", column=column, **bounds)
        rules.append(rule)
    return rules


def wide(spark: SparkSession, rows: int, path: str) -> DataFrame:
    """Write a table of 120 columns and read it back."""
    columns = [(F.col("id") * n % 1009 + n / 7).alias(f"c{n}") for n in range(119)]
    spark.range(0, rows, numPartitions=8).select("id", *columns).write.parquet(path)
    return spark.read.parquet(path)


def twelve_of(names: list[str]) -> list[dict[str, Any]]:
    """Return twelve rules on some columns of :func:`wide`."""
    rules = [expectation("column_values_to_not_be_null", column=name) for name in names[:6]]
    for name in names[6:12]:
        rules.append(expectation("column_values_to_be_between", column=name, min_value=0))
    return rules


def compared(
    spark: SparkSession,
    what: str,
    data: DataFrame,
    suites: dict[str, list[dict[str, Any]]],
    repeats: int,
) -> list[dict[str, Any]]:
    """Return a row a suite: its stage over the bare write of the same data."""
    data.limit(0).writeTo(TABLE).using("iceberg").createOrReplace()
    spark.sql(f"DROP TABLE IF EXISTS {TABLE}_gated PURGE")
    write_alone(spark, data)
    costs: dict[str, list[Cost]] = {"write alone": []}
    for number in range(repeats + 1):
        with measured(spark) as cost:
            write_alone(spark, data)
        found = {"write alone": cost}
        for name, suite in suites.items():
            with measured(spark) as cost:
                gated(spark, data, suite, next(_numbers))
            found[name] = cost
        if number:  # the first round warms the JVM
            for name, cost in found.items():
                costs.setdefault(name, []).append(cost)
    write = middle(costs.pop("write alone"))
    return [row(what, name, middle(several), write) for name, several in costs.items()]


def row(what: str, rules: str, cost: Cost, write: Cost) -> dict[str, Any]:
    """Return a suite's cost as multiples of the write's."""
    return {
        "data": what,
        "rules": rules,
        "write s": write.wall,
        "stage s": cost.wall,
        "wall / write": cost.wall / write.wall,
        "CPU / write": cost.cpu / write.cpu,
        "jobs after write": int(cost.jobs - write.jobs),
    }


def main() -> None:
    """Measure and print the table."""
    parser = ArgumentParser()
    parser.add_argument("parts", nargs="*", default=PARTS, help="millions of rows, or: wide")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    spark = open_session(folder)
    suites = {
        "5": EXPECTATIONS[:5],
        "12": [*EXPECTATIONS, *forty()[-1:]],
        "12, one a key": [*EXPECTATIONS, UNIQUE],
        "40": forty(),
    }
    rows: list[dict[str, Any]] = []
    for part in asked.parts:
        path = str(folder / f"source-{part}")
        if part == "wide":
            data = wide(spark, WIDE, path)
            twelve = {"12": twelve_of(data.columns[1::9])}
            rows += compared(spark, f"{WIDE / 1e6:g} M x 120", data, twelve, asked.repeats)
            continue
        data = make(spark, 0, path, int(float(part) * 1e6))
        rows += compared(spark, f"{part} M x 8", data, suites, asked.repeats)
    show("gate_scale", rows, ["good data; the key is of unique longs"])
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
