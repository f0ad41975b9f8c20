"""Each witness of the gate alone (metadata, one query, keys, examples), and that each is exact."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import tests.driver.test_gate_equality as equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.driver.test_gate_equality import Config, differences, e, plain_source, suite_of
from tests.thinned import only

from tidegate.driver.gate import open_gate
from tidegate.driver.gate.evidence import Guilty, examples
from tidegate.driver.gate.keys import Bounds, repeated
from tidegate.driver.gate.measure import analysed, measure
from tidegate.driver.jvm import current_snapshot
from tidegate.driver.targets.nowhere import Nowhere
from tidegate.driver.targets.settle import settle
from tidegate.driver.targets.table.file_facts import facts_of_added, facts_of_live

_tables = (f"lake.witness.t{number}" for number in count())
NAN, INF = float("nan"), float("inf")


# --- metadata ----------------------------------------------------------------------------------


def table_of(spark: SparkSession, *parts: DataFrame, **properties: str) -> str:
    """Write each part as an append of its own to a new Iceberg table."""
    name = next(_tables)
    writer = parts[0].limit(0).writeTo(name).using("iceberg")
    for key, value in properties.items():
        writer = writer.tableProperty(key.replace("_", "."), value)
    writer.create()
    for part in parts:
        part.writeTo(name).append()
    return name


HARD: dict[str, str] = {
    "whole": "SELECT id, CAST(id AS INT) AS i, CAST(id % 7 AS BYTE) AS b FROM range(90)",
    "floats": "SELECT id / 7 AS x, CAST(id AS FLOAT) AS f, -id / 3 AS n FROM range(90)",
    "nan": "SELECT IF(id = 3, double('NaN'), id) AS x, float('NaN') AS f FROM range(9)",
    "infinite": "SELECT IF(id = 3, double('-Infinity'), id) x, float('Infinity') f FROM range(9)",
    "zeros": "SELECT IF(id = 0, double('-0.0'), 0.0D) AS x, CAST(0 AS FLOAT) AS f FROM range(2)",
    "nulls": "SELECT CAST(NULL AS INT) AS i, CAST(NULL AS DOUBLE) AS x, id FROM range(4)",
    "some nulls": "SELECT IF(id % 3 = 0, NULL, id) i, IF(id > 4, NULL, id / 2) x FROM range(9)",
    "decimals": "SELECT CAST(id / 8 - 3 AS DECIMAL(12, 4)) AS d, CAST(-id AS DECIMAL(38, 0)) AS w "
    "FROM range(30)",
    "text": "SELECT concat('a long text of the same beginning ', id) AS s, '' AS t FROM range(9)",
    "times": "SELECT DATE'2020-01-01' + CAST(id AS INT) AS d, timestamp_seconds(id * 9999) AS ts, "
    "CAST(timestamp_seconds(-id) AS TIMESTAMP_NTZ) AS tn FROM range(60)",
    "far dates": "SELECT DATE'2020-01-01' + CAST(id * 4000000 AS INT) AS d, id FROM range(3)",
    "booleans": "SELECT id % 2 = 0 AS flag, TRUE AS yes FROM range(4)",
    "nested": "SELECT named_struct('a', id) AS s, array(id) AS l, map('k', id) AS m FROM range(4)",
    "empty": "SELECT id, id / 2 AS x, 's' AS s FROM range(0)",
    "odd names": "SELECT id AS `a.b`, id AS `with space`, id AS `Ünï` FROM range(4)",
}
HARDEST = ("nan", "some nulls", "decimals", "far dates", "empty", "odd names")
BOUNDS = {"min_value": -5, "max_value": 40}


def rules_for(name: str) -> list[Config]:
    column = {"column": name}
    return [
        e("expect_column_values_to_not_be_null", **column),
        e("expect_column_values_to_be_null", **column),
        e("expect_column_values_to_be_between", **column, **BOUNDS),
        e("expect_column_values_to_be_between", **column, max_value=0, strict_max=True),
        e("expect_column_values_to_be_between", **column, min_value="2020-01-01", mostly=0.4),
        e("expect_column_max_to_be_between", **column, max_value=40),
        e("expect_column_min_to_be_between", **column, min_value=0),
        e("expect_column_proportion_of_non_null_values_to_be_between", **column, min_value=0.9),
    ]


def check(spark: SparkSession, name: str, facts: Any, rules: list[Config]) -> None:
    frame = spark.table(name)
    suite = suite_of(*rules, e("expect_table_row_count_to_be_between", min_value=1, max_value=40))
    # Great Expectations asks it dozens of times. Not cached: of a cached column, Spark 4.1 skips
    # the NaN that a filter asks for.
    held = frame.coalesce(1).localCheckpoint()
    gate: Any = open_gate(spark, suite, {})
    gate.judge(held, facts)
    truth = equality.validated(plain_source(), name, held, suite)
    assert differences(gate._results, truth) == []


@pytest.mark.parametrize("what", only(HARD, HARDEST))
def test_what_metadata_says_equals_great_expectations(spark: SparkSession, what: str) -> None:
    data = spark.sql(HARD[what])
    name = table_of(spark, data.coalesce(1), data.repartition(3), data.limit(1))
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    facts = facts_of_live(spark, name, snapshot)
    assert facts is not None
    rules = [rule for column in data.columns for rule in rules_for(column)]
    check(spark, name, facts, rules)


def test_of_a_partitioned_renamed_and_evolved_table_as_well(spark: SparkSession) -> None:
    data = spark.range(30).selectExpr("id", "id % 3 AS part", "id / 2 AS x")
    name = next(_tables)
    data.writeTo(name).using("iceberg").partitionedBy("part").create()
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN x TO y")
    spark.sql(f"ALTER TABLE {name} ADD COLUMN later INT")
    spark.sql(f"ALTER TABLE {name} ALTER COLUMN y TYPE DOUBLE")
    data.selectExpr("id", "part", "x AS y", "1 AS later").writeTo(name).append()
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    facts = facts_of_live(spark, name, snapshot)
    assert facts is not None
    assert "later" not in facts.columns, "the older files do not know it"
    check(spark, name, facts, [r for c in ("id", "part", "y", "later") for r in rules_for(c)])


@pytest.mark.parametrize("mode", ["copy-on-write", "merge-on-read"])
def test_nothing_is_taken_from_metadata_where_rows_were_deleted(
    spark: SparkSession, mode: str
) -> None:
    name = table_of(
        spark, spark.range(50).coalesce(1).toDF("id"), write_delete_mode=mode, format_version="2"
    )
    spark.sql(f"DELETE FROM {name} WHERE id > 20")
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    facts = facts_of_live(spark, name, snapshot)
    assert (facts is None) == (mode == "merge-on-read")
    check(spark, name, facts, rules_for("id"))


@pytest.mark.parametrize("mode", ["none", "counts", "truncate(4)", "full"])
def test_the_writers_metrics_mode_is_checked_and_not_assumed(
    spark: SparkSession, mode: str
) -> None:
    data = spark.range(30).selectExpr("id", "id / 2 AS x", "concat('text ', id) AS s").coalesce(1)
    name = table_of(spark, data, write_metadata_metrics_default=mode)
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    facts = facts_of_added(spark, name, snapshot)
    assert facts is not None
    assert facts.rows == 30
    known = facts.columns.get("id")
    assert (known is None) == (mode == "none")
    assert (known is not None and known.high == 29) == (mode in ("truncate(4)", "full"))
    assert mode == "none" or facts.columns["s"].high is None
    check(spark, name, facts, [r for c in ("id", "x", "s") for r in rules_for(c)])


def test_a_suite_that_metadata_proves_starts_no_job(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    name = table_of(spark, spark.range(60).selectExpr("id", "id / 2 AS x").repartition(3))
    snapshot = current_snapshot(spark, name)
    assert snapshot is not None
    suite = suite_of(
        e("expect_column_values_to_not_be_null", column="id"),
        e("expect_column_values_to_be_between", column="x", min_value=0, max_value=30),
        e("expect_column_max_to_be_between", column="id", max_value=60),
        e("expect_table_row_count_to_equal", value=60),
        e("expect_column_to_exist", column="x"),
        e("expect_column_proportion_of_non_null_values_to_be_between", column="x", min_value=1),
    )
    gate = open_gate(spark, suite, {})
    started = jobs()
    assert gate.judge(spark.table(name), facts_of_live(spark, name, snapshot)).verdict == "pass"
    assert jobs() == started


# --- one query ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregate", "known"),
    [
        ("max(id)", True),
        ("count(DISTINCT id)", True),
        ("sum(CAST(text AS INT))", True),
        ("max(nowhere)", False),
        ("max(row_number() OVER (ORDER BY id))", False),
    ],
)
def test_only_an_aggregate_of_the_data_is_asked(
    spark: SparkSession, aggregate: str, known: bool
) -> None:
    frame = spark.range(3).selectExpr("id", "'x' AS text")
    asked: Any = {("asked",): F.expr(aggregate), ("other",): F.count(F.lit(1))}
    assert set(analysed(frame, asked)) == {("other",)} | ({("asked",)} if known else set())


def test_an_aggregate_that_raises_is_left_out_and_takes_no_other_with_it(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    frame = spark.range(9).selectExpr("id", "'x' AS text", "DATE'2020-01-01' AS day")
    asked: Any = {(f"m{n}",): F.sum(F.col("id") + n) for n in range(12)}
    started = jobs()
    assert len(measure(frame, asked)) == 12
    assert jobs() == started + 1
    asked[("cast",)] = F.sum(F.expr("CAST(text AS INT)"))
    asked[("far",)] = F.max(F.expr("date_add(day, 8000000)"))  # no date that Python can hold
    found = measure(frame, asked)
    assert set(found) == {(f"m{n}",) for n in range(12)}
    assert found[("m3",)] == 63


def test_a_value_that_python_cannot_hold_fails_its_own_rule_alone(spark: SparkSession) -> None:
    frame = spark.range(3).selectExpr("id", "date_add(DATE'2020-01-01', 8000000) AS far")
    suite = suite_of(
        e("expect_column_max_to_be_between", column="far", max_value="2020-01-01"),
        e("expect_column_max_to_be_between", column="id", max_value=2),
    )
    first, second = open_gate(spark, suite, {}).judge(frame).expectations
    assert (first.success, second.success) == (False, True)
    assert first.exception is not None


def test_the_one_query_reads_only_the_columns_it_needs(spark: SparkSession, tmp_path: Any) -> None:
    wide = spark.range(100).selectExpr("id", *[f"id AS c{n}" for n in range(30)])
    wide.write.parquet(str(tmp_path / "wide"))
    frame = spark.read.parquet(str(tmp_path / "wide"))
    seen: list[str] = []
    original = type(frame).collect

    def noted(self: DataFrame) -> Any:
        seen.append(self._jdf.queryExecution().executedPlan().toString())
        return original(self)

    suite = suite_of(e("expect_column_mean_to_be_between", column="c7", min_value=0))
    gate = open_gate(spark, suite, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(frame), "collect", noted)
        gate.judge(frame)
    (plan,) = seen
    assert "ReadSchema: struct<c7:bigint>" in plan


CONDITIONS = [
    "id BETWEEN 10 AND 20",
    "id % 3 = 0 AND x * 2 + 1 < 90",
    "name LIKE 'n1%'",
    "name LIKE 'n\\\\_%'",
    "length(name) > 2 OR upper(name) = 'N1'",
    "x IS NULL",
    "NOT (id IN (1, 2, 3))",
    "CASE WHEN id > 5 THEN true ELSE false END",
]


def test_row_conditions_of_any_form_share_the_one_query(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    frame = spark.sql(
        "SELECT id, id / 2 AS x, concat('n', id) AS name FROM range(60)"
    ).localCheckpoint()
    rules = []
    for condition in CONDITIONS:
        only = {"row_condition": condition, "condition_parser": "spark"}
        rules.append(e("expect_column_values_to_be_between", column="id", min_value=0, **only))
        rules.append(e("expect_column_mean_to_be_between", column="x", min_value=0, **only))
        rules.append(e("expect_column_values_to_match_regex", column="name", regex="^n", **only))
    suite = suite_of(*rules)
    gate: Any = open_gate(spark, suite, {})
    started = jobs()
    gate.judge(frame)
    assert jobs() == started + 1
    truth = equality.validated(plain_source(), "conditions", frame, suite)
    assert differences(gate._results, truth) == []


def test_a_gate_of_its_own_asks_a_tables_metadata_before_its_data(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    name = table_of(spark, spark.range(60).coalesce(1).toDF("id"))
    proven = suite_of(e("expect_column_values_to_be_between", column="id", max_value=60))
    gate = open_gate(spark, proven, {})
    started = jobs()
    seen = Nowhere(spark, name, current_snapshot(spark, name)).write_aside(spark.table(name), gate)
    settled = settle(Nowhere(spark, name, None), spark.table(name), open_gate(spark, proven, {}))
    assert settled.outcome == "passed"
    between = jobs()
    assert between == started + 1, "without a snapshot, the one query"
    assert gate.judge(seen.frame, seen.facts).verdict == "pass"
    assert jobs() == between


# --- keys --------------------------------------------------------------------------------------

KEYS: dict[str, tuple[str, str, int]] = {
    "dense": ("id", "id % 480", 500),
    "negative": ("id - 300", "-(id % 450)", 500),
    "sparse": ("id * 7919", "(id % 499) * 7919", 500),
    "text": ("md5(string(id))", "md5(string(id % 7))", 500),
    "days": ("DATE'2020-01-01' + int(id)", "DATE'2020-01-01'", 99),
    "times": ("timestamp_seconds(id)", "timestamp_seconds(id % 9)", 99),
    "floats": ("id / 3", "IF(id % 2 = 0, 0.0D, double('-0.0'))", 9),
    "nan": ("IF(id = 1, double('NaN'), id)", "double('NaN')", 9),
    "decimals": ("CAST(id AS DECIMAL(30, 4))", "CAST(id % 2 AS DECIMAL(30))", 9),
    "binary": ("CAST(string(id) AS BINARY)", "CAST('x' AS BINARY)", 9),
    "compound": ("id % 10 AS k, string(id div 10) AS l", "id % 10 AS k, 'x' AS l", 99),
    "compound nulls": ("IF(id = 0, NULL, id) AS k, 'x' AS l", "int(NULL) AS k, 'x' AS l", 9),
    "nested": ("named_struct('a', id)", "named_struct('a', 1)", 9),
}
"""Keys that are unique, keys that are not, and how many."""


@pytest.mark.parametrize("what", KEYS)
@pytest.mark.parametrize("unique", [True, False], ids=["unique", "repeated"])
def test_keys_of_any_type_are_counted_exactly(spark: SparkSession, what: str, unique: bool) -> None:
    good, bad, rows = KEYS[what]
    asked = good if unique else bad
    frame = spark.sql(f"SELECT {asked} FROM range({rows})")
    frame = frame.toDF(*["k", "l"][: len(frame.columns)])
    keys = [F.col(name) for name in frame.columns]
    bounds = None
    if what in ("dense", "negative"):
        bounds = Bounds(*frame.selectExpr("min(k)", "max(k)", "count(k)").collect()[0])
        assert bounds.is_dense
    truth = frame.groupBy(*frame.columns).count().where("count > 1")
    expected = sum(row["count"] for row in truth.collect())
    found = repeated(frame, keys, bounds, None, 3)
    assert found.rows == expected
    assert (expected == 0) == unique
    assert len(found.keys) == min(3, expected)


def test_more_suspects_than_are_kept_are_counted_exactly_too(spark: SparkSession) -> None:
    frame = spark.range(900_000).selectExpr("string(id div 2) AS k")
    found = repeated(frame, [F.col("k")], None, 900_000, 3)
    assert (found.rows, len(found.keys)) == (900_000, 3)


def test_numbers_that_collide_accuse_nobody(spark: SparkSession) -> None:
    """Two keys that share a stand-in are suspects, and their true keys acquit them."""
    frame = spark.sql("SELECT IF(id = 5, NULL, id) AS k FROM range(9)")  # null stands in as 0
    assert repeated(frame, [F.col("k")], None, 9, 3).rows == 0


@pytest.fixture(scope="module")
def crowd(spark: SparkSession) -> Iterator[DataFrame]:
    rows = spark.sql(
        "SELECT id, string(id % 90) AS name, id % 7 AS a, IF(id % 50 = 0, NULL, id % 11) AS b, "
        "IF(id % 40 = 3, 1, id) AS nearly FROM range(400)"
    ).coalesce(1)
    rows.cache().count()
    yield rows
    rows.unpersist()


@pytest.mark.parametrize(
    "rule",
    [
        e("expect_column_values_to_be_unique", column="id"),
        e("expect_column_values_to_be_unique", column="nearly"),
        e("expect_column_values_to_be_unique", column="name"),
        e("expect_column_values_to_be_unique", column="b", mostly=0.1),
        e("expect_column_values_to_be_unique", column="name", row_condition="id < 80",
          condition_parser="spark"),
        e("expect_compound_columns_to_be_unique", column_list=["id", "name"]),
        e("expect_compound_columns_to_be_unique", column_list=["a", "b"]),
        e("expect_compound_columns_to_be_unique", column_list=["a", "b"],
          ignore_row_if="any_value_is_missing"),
        e("expect_compound_columns_to_be_unique", column_list=["name", "a", "b"]),
    ],
    ids=lambda rule: str(rule["kwargs"]),
)  # fmt: skip
def test_uniqueness_equals_great_expectations(
    spark: SparkSession, crowd: DataFrame, rule: Config
) -> None:
    gate: Any = open_gate(spark, suite_of(rule), {})
    gate.judge(crowd)
    truth = equality.validated(plain_source(), str(rule), crowd, suite_of(rule))
    assert differences(gate._results, truth) == []


# --- examples ----------------------------------------------------------------------------------


def guilty(name: str, broken: str, wanted: int = 3) -> Guilty:
    return Guilty(
        metric=(name,),
        broken=F.expr(broken),
        columns={"id": F.col("id")},
        single=True,
        paired=False,
        wanted=wanted,
    )


def test_examples_of_all_rules_come_from_one_look_where_that_is_enough(
    spark: SparkSession, jobs: Callable[[], int]
) -> None:
    frame = spark.range(5000).coalesce(1)
    rules = [guilty(f"r{n}", f"id % 10 = {n}") for n in range(6)]
    started = jobs()
    found = examples(frame, rules)
    assert jobs() - started == 1
    assert found == {(f"r{n}",): [n, n + 10, n + 20] for n in range(6)}


def test_a_rare_fault_is_found_behind_a_common_one(spark: SparkSession) -> None:
    frame = spark.range(5000).coalesce(1)
    found = examples(frame, [guilty("common", "id > 5"), guilty("rare", "id = 4999", wanted=1)])
    assert found == {("common",): [6, 7, 8], ("rare",): [4999]}


def test_examples_end_when_the_rows_do(spark: SparkSession) -> None:
    frame = spark.range(5).coalesce(1)
    found = examples(frame, [guilty("a", "id = 1"), guilty("b", "id = 2"), guilty("c", "id = 9")])
    assert found == {("a",): [1], ("b",): [2], ("c",): []}
