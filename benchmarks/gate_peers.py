"""Ours beside its peers: the same table, the same rules as far as a peer can say them.

``python -m benchmarks.gate_peers [rows] [repeats]``. Each way writes the table and then judges it;
peers are installed into a folder of their own on the first run.
"""

import os
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
from benchmarks.fetched import fetched
from benchmarks.gate_overhead import EXPECTATIONS, FAULTS, TABLE, UNIQUE, judged, make, write_alone
from benchmarks.sessions import Cost, measured, middle, open_session
from benchmarks.stock import Counts
from benchmarks.tables import show

PEERS = ["cuallee==0.15.4", "toolz==1.2.0", "airflow-provider-great-expectations==1.0.0"]
SUITE = [*EXPECTATIONS, UNIQUE]
NO_RULE_OF_CUALLEE = {7, 8, 9}
"""The row count, the mean within bounds, the set of columns."""
OF_CUALLEE = [rule for place, rule in enumerate(SUITE) if place not in NO_RULE_OF_CUALLEE]
NOTES = [
    "jobs: after the write. Counts: of each rule that the way can say, against ours",
    "cuallee has no rule for the row count, a mean within bounds (only an exact one) or the set",
    "of columns, and shows no examples; of repeated keys it counts the surplus, GX all their rows",
    "DQX 0.17.0 is left out: DQEngine asks a Databricks workspace for its Spark versions before it",
    "does anything, and its licence allows no use but with Databricks' services",
]
Way = Callable[[], Counts]
_numbers = count(1)


def gate(spark: SparkSession, data: DataFrame, rules: list[dict[str, Any]]) -> Counts:
    """Write and judge as a stage does."""
    clock = judged(spark, data, rules, next(_numbers))
    assert clock.judgement is not None
    return stock.ours(clock.judgement)


def expectations(spark: SparkSession, data: DataFrame, *, persist: bool) -> Counts:
    """Write, then run Great Expectations."""
    write_alone(spark, data)
    return stock.validate(spark.table(TABLE), SUITE, persist=persist)


class Pushed:
    """A task instance as far as the provider's operator needs one: takes an XCom."""

    def __init__(self) -> None:
        self.value: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep it."""
        self.value = value


def provider(spark: SparkSession, data: DataFrame) -> Counts:
    """Write, then execute Great Expectations' own Airflow operator."""
    from great_expectations_provider.common.errors import GXValidationFailed
    from great_expectations_provider.operators.validate_dataframe import (
        GXValidateDataFrameOperator,
    )

    write_alone(spark, data)
    operator = GXValidateDataFrameOperator(
        task_id="judge",
        configure_dataframe=partial(spark.table, TABLE),
        configure_expectations=lambda context: context.suites.add(stock.suite_of(SUITE)),
    )
    pushed = Pushed()
    try:
        operator.execute({"ti": pushed})
    except GXValidationFailed:
        pass  # how it says that a suite failed; what it counted is pushed before
    return stock.in_order(SUITE, pushed.value["expectations"])


def cuallee(spark: SparkSession, data: DataFrame) -> Counts:
    """Write, then run cuallee."""
    from cuallee import Check, CheckLevel

    write_alone(spark, data)
    check = Check(CheckLevel.WARNING, "orders")
    for rule in OF_CUALLEE:
        asked = rule["kwargs"]
        match rule["type"].removeprefix("expect_column_"):
            case "values_to_not_be_null":
                check.is_complete(asked["column"])
            case "values_to_be_between":
                check.is_between(asked["column"], (asked["min_value"], asked["max_value"]))
            case "values_to_be_in_set":
                check.is_contained_in(asked["column"], asked["value_set"])
            case "values_to_match_regex":
                check.has_pattern(asked["column"], asked["regex"], asked["mostly"])
            case "pair_values_a_to_be_greater_than_b":
                check.satisfies(asked["column_A"], f"{asked['column_A']} >= {asked['column_B']}")
            case "values_to_be_unique":
                check.is_unique(asked["column"])
    found = check.validate(spark.table(TABLE)).collect()
    return {place: row["violations"] for place, row in enumerate(found)}


def differences(counts: Counts, ours: Counts, rules: list[dict[str, Any]]) -> str:
    """Say in which rules a way counted otherwise."""
    told = []
    for place, rule in enumerate(rules):
        if counts.get(place) != ours.get(place):
            name = rule["type"].removeprefix("expect_").removeprefix("column_values_")
            told.append(f"{name} {counts.get(place)} for {ours.get(place)}")
    return "; ".join(told) or "equal"


def compared(spark: SparkSession, kind: str, data: DataFrame, repeats: int) -> list[dict[str, Any]]:
    """Return a row a way, as multiples of the write alone."""
    data.limit(0).writeTo(TABLE).using("iceberg").createOrReplace()
    ways: dict[str, tuple[list[dict[str, Any]], Way]] = {
        "ours": (SUITE, partial(gate, spark, data, SUITE)),
        "GX as documented": (SUITE, partial(expectations, spark, data, persist=True)),
        "GX persist=False": (SUITE, partial(expectations, spark, data, persist=False)),
        "GX Airflow provider": (SUITE, partial(provider, spark, data)),
        "ours, cuallee's rules": (OF_CUALLEE, partial(gate, spark, data, OF_CUALLEE)),
        "cuallee": (OF_CUALLEE, partial(cuallee, spark, data)),
    }
    costs: dict[str, list[Cost]] = {}
    counts: dict[str, Counts] = {}
    for _ in range(repeats):
        with measured(spark) as cost:
            write_alone(spark, data)
        costs.setdefault("write alone", []).append(cost)
        for name, (_, way) in ways.items():
            with measured(spark) as cost:
                counts[name] = way()
            spark.catalog.clearCache()  # the provider leaves what it cached
            costs.setdefault(name, []).append(cost)
    write = middle(costs["write alone"])
    rows = []
    for name, (rules, _) in ways.items():
        ours = counts["ours" if rules is SUITE else "ours, cuallee's rules"]
        cost = middle(costs[name])
        rows.append(
            {
                "data": kind,
                "way": name,
                "rules": len(rules),
                "wall s": cost.wall,
                "wall / write": cost.wall / write.wall,
                "CPU / write": cost.cpu / write.cpu,
                "jobs": int(cost.jobs - write.jobs),
                "counts": differences(counts[name], ours, rules),
            }
        )
    return rows


def main() -> None:
    """Measure good and faulty data and print the table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
    os.environ["TQDM_DISABLE"] = "1"  # the provider cannot be told to draw no progress bar
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    sys.path.append(str(fetched("peers", PEERS, alone=True)))
    spark = open_session(folder)
    # Imported once: its seconds are the start-up's; and before Airflow, which would log them.
    import great_expectations  # noqa: F401

    compared(spark, "", make(spark, 1000, str(folder / "warm"), 50_000), 1)
    rows: list[dict[str, Any]] = []
    for kind, every in FAULTS.items():
        data = make(spark, every, str(folder / f"source{every}"), size)
        rows += compared(spark, kind, data, repeats)
    show("gate_peers", rows, [f"{size:,} rows x 8 columns, medians of {repeats}", *NOTES])
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
