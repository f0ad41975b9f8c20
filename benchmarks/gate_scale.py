"""The gate over the bare write: more rows, more rules, more columns.

The sizes are millions of rows; ``python -m benchmarks.gate_scale 1 5`` measures these two. Each
figure is the median of three.
"""

import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.gate_overhead import (
    EXPECTATIONS,
    TABLE,
    expectation,
    gated,
    make,
    middle,
    write_alone,
)
from benchmarks.sessions import Cost, measured, open_session
from benchmarks.tables import show

MILLIONS = [int(each) for each in sys.argv[1:]] or [1, 5, 20]
REPEATS = 3
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
    spark: SparkSession, what: str, data: DataFrame, suites: dict[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return a row a suite: its stage over the bare write of the same data."""
    data.limit(0).writeTo(TABLE).using("iceberg").createOrReplace()
    spark.sql(f"DROP TABLE IF EXISTS {TABLE}_gated")
    write_alone(spark, data)
    costs: dict[str, list[Cost]] = {"write alone": []}
    for number in range(REPEATS + 1):
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
    base = middle(costs.pop("write alone"))
    rows = []
    for name, several in costs.items():
        cost = middle(several)
        over = {"wall / write": cost.wall / base.wall, "CPU / write": cost.cpu / base.cpu}
        rows.append({"data": what, "rules": name, "wall s": cost.wall, **over, "jobs": cost.jobs})
    return rows


def main() -> None:
    """Measure and print the table."""
    import benchmarks.gate_overhead as overhead

    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    spark = open_session(folder)
    suites = {"5": EXPECTATIONS[:5], "11": EXPECTATIONS, "40": forty()}
    rows: list[dict[str, Any]] = []
    for millions in MILLIONS:
        overhead.ROWS = millions * 1_000_000
        data = make(spark, 0, str(folder / f"source{millions}"))
        rows += compared(spark, f"{millions} M rows x 8", data, suites)
    data = wide(spark, 500_000, str(folder / "wide"))
    rows += compared(spark, "0.5 M rows x 120", data, {"12": twelve_of(data.columns[1::9])})
    show("gate_scale", rows, ["jobs: of the whole stage, its write included"])
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
