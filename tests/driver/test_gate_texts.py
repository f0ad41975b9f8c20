"""Rules on text, by the values that Parquet's dictionaries list: no job, and as exact as GX."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.driver.test_gate_equality import Config, e, suite_of
from tests.driver.test_gate_witnesses import check, table_of

from tidegate.driver.gate import open_gate, texts
from tidegate.driver.jvm import current_snapshot, local_texts
from tidegate.driver.targets.table import dictionaries
from tidegate.driver.targets.table.file_facts import facts_of_live

HARD = {
    "few": "SELECT concat('AB-', id % 9) AS s FROM range(500)",
    "with nulls": "SELECT IF(id % 3 = 0, NULL, concat('AB-', id % 9)) AS s FROM range(500)",
    "one is wrong": "SELECT IF(id = 7, 'wrong', 'AB-1') AS s FROM range(500)",
    "nulls alone": "SELECT CAST(NULL AS STRING) AS s FROM range(500)",
    "odd": "SELECT element_at(array('', ' ', 'a\\u0000b', 'Ünï', '日本', '\\n', repeat('x', 999)), "
    "CAST(id % 7 + 1 AS INT)) AS s FROM range(500)",
}

FEW = "SELECT 'a' AS s, 'b' AS t FROM range(500)"
"""Of one row, Parquet makes no dictionary."""


@pytest.fixture(autouse=True)
def _asked_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "ROWS_A_CORE", 0)


def rules() -> list[Config]:
    column = {"column": "s"}
    return [
        e("expect_column_values_to_not_be_null", **column),
        e("expect_column_values_to_be_null", **column),
        e("expect_column_values_to_be_in_set", **column, value_set=[f"AB-{n}" for n in range(9)]),
        e("expect_column_values_to_not_be_in_set", **column, value_set=["wrong", ""]),
        e("expect_column_values_to_match_regex", **column, regex="^[A-Z]{2}-[0-9]$"),
        e("expect_column_values_to_not_match_regex", **column, regex="wr", mostly=0.5),
        e("expect_column_value_lengths_to_be_between", **column, min_value=1, max_value=9),
        e("expect_column_value_lengths_to_equal", **column, value=4),
        e("expect_column_values_to_match_like_pattern", **column, like_pattern="AB%"),
        e(
            "expect_column_values_to_be_in_set",
            **column,
            value_set=["AB-1"],
            row_condition='col("s") == "AB-1"',
            condition_parser="great_expectations",
        ),
        e("expect_column_values_to_be_unique", **column),
    ]


def facts_of(spark: SparkSession, name: str) -> Any:
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    return facts_of_live(spark, name, snapshot)


def parts_of(data: DataFrame) -> list[DataFrame]:
    return [data.coalesce(1), data.repartition(3)]


@pytest.mark.parametrize("what", HARD)
def test_what_dictionaries_say_equals_great_expectations(spark: SparkSession, what: str) -> None:
    name = table_of(spark, *parts_of(spark.sql(HARD[what])))
    check(spark, name, facts_of(spark, name), rules())


def test_a_suite_that_dictionaries_prove_starts_no_job(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    name = table_of(spark, *parts_of(spark.sql(HARD["with nulls"])))
    proven = [each for each in rules()[2:9] if "like" not in each["type"]]
    gate = open_gate(spark, suite_of(*proven), {})
    frame = spark.table(name)
    facts = facts_of(spark, name)
    gate.plan(frame.schema)
    before = jobs()
    assert gate.judge(frame, facts).verdict == "pass"
    assert jobs() == before


def known_of(spark: SparkSession, name: str) -> dict[str, set[str]]:
    found = facts_of(spark, name).texts({"s", "t", "n"})
    return {column: set(values) for column, values in found.items()}


def test_the_values_of_all_files_are_known_by_the_columns_of_now(spark: SparkSession) -> None:
    both = spark.sql("SELECT concat('s', id % 3) s, concat('t', id % 2) t, id n FROM range(99)")
    name = table_of(spark, *parts_of(both))
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN s TO x")
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN t TO s")
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN x TO t")
    spark.sql(f"INSERT INTO {name} SELECT 'later', 'newer', id FROM range(500)")
    assert known_of(spark, name) == {
        "t": {"s0", "s1", "s2", "later"},
        "s": {"t0", "t1", "newer"},
    }


def test_nothing_is_known_where_one_file_lists_not_all(spark: SparkSession) -> None:
    few = spark.sql(FEW)
    many = spark.sql("SELECT concat(uuid(), id) AS s, 'c' AS t FROM range(50000)")
    name = table_of(spark, few, many.coalesce(1))
    assert known_of(spark, name) == {"t": {"b", "c"}}


@pytest.mark.parametrize("form", ["orc", "avro"])
def test_nothing_is_known_of_files_that_are_no_parquet(spark: SparkSession, form: str) -> None:
    name = table_of(spark, spark.sql(FEW), write_format_default=form)
    assert known_of(spark, name) == {}


def test_of_a_wide_table_no_file_is_opened(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = table_of(spark, spark.sql(FEW))
    monkeypatch.setattr(dictionaries, "_MOST_CHUNKS", 1)
    assert known_of(spark, name) == {}
    monkeypatch.undo()
    assert known_of(spark, name) == {"s": {"a"}, "t": {"b"}}


def test_a_store_far_away_is_not_asked_file_by_file(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = table_of(spark, spark.sql(FEW))
    monkeypatch.setattr(dictionaries, "_SECONDS", -1.0)
    assert known_of(spark, name) == {}


def test_texts_become_rows_as_they_are_and_without_a_job(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    told = ["", "a\0b", "|.*", "Ünï", "\n", None]
    before = jobs()
    assert [row[0] for row in local_texts(spark, told).collect()] == told
    assert local_texts(spark, []).collect() == []
    assert jobs() == before
