"""The gate answers as Great Expectations itself does, field by field.

And it answers from the write's own pass where it can.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.thinned import only, thinned

from tidegate.contract import Suite
from tidegate.driver.gate import open_gate
from tidegate.driver.gate.plan import runtime

SCHEMA = (
    "id long, k int, x double, name string, d decimal(10,2), wide decimal(38,6), ts timestamp, "
    "day date, b long, flag boolean, digits string, js string, nested struct<a: int>, "
    "`odd name` string, i32 int"
)
START = datetime(2020, 1, 1)


def row(i: int, **changes: object) -> tuple[object, ...]:
    values: dict[str, object] = {
        "id": i,
        "k": i % 5,
        "x": i / 7,
        "name": f"n{i % 9}",
        "d": Decimal(i).scaleb(-2),
        "wide": Decimal(i),
        "ts": START + timedelta(hours=i),
        "day": date(2020, 1, 1) + timedelta(days=i),
        "b": i + 1,
        "flag": i % 2 == 0,
        "digits": str(i),
        "js": '{"a": 1}',
        "nested": (i,),
        "odd name": "fine",
        "i32": 2**31 - 1,
    }
    return tuple({**values, **changes}.values())


NAN, INF = float("nan"), float("inf")
FAULTS = [
    row(7, k=99, name="x!", b=0),
    row(7, k=-1, name=None, x=-5.0),
    row(61, name="", day=None, ts=None, nested=None),
    row(
        62,
        x=1e300,
        wide=Decimal("99999999999999999999999999999999.5"),
        d=None,
        **{"odd name": None},
    ),
    row(63, digits="abc", js="{", flag=None, b=None),
    row(64, k=None, name="a" * 50, x=NAN),
    row(65, x=-INF, digits=""),
]
FRAMES: dict[str, list[tuple[object, ...]]] = {
    "good": [row(i) for i in range(60)],
    "bad": [row(i) for i in range(60)] + FAULTS,
    "one row": [row(3)],
    "empty": [],
    "nulls": [tuple(None for _ in row(0)) for _ in range(4)],
    "nan": [row(i, x=NAN if i % 3 else INF) for i in range(9)],
}

Config = dict[str, Any]


def e(kind: str, **kwargs: Any) -> Config:
    return {"type": kind, "kwargs": kwargs}


ABOVE_TEN = {"row_condition": "id > 10", "condition_parser": "spark"}
GX_CONDITION = {"row_condition": 'col("name").notnull()', "condition_parser": "great_expectations"}
NOBODY = {"row_condition": "id < 0", "condition_parser": "spark"}
COLUMNS = "id,k,x,name,d,wide,ts,day,b,flag,digits,js,nested,nested.a,odd name,i32".split(",")

ONE_PASS: list[Config] = [
    e("expect_column_values_to_not_be_null", column="id"),
    e("expect_column_values_to_not_be_null", column="nested"),
    e("expect_column_values_to_not_be_null", column="nested.a"),
    e("expect_column_values_to_not_be_null", column="odd name"),
    e("expect_column_values_to_be_null", column="id", **NOBODY),
    e("expect_column_values_to_be_between", column="k", min_value=0, max_value=4),
    e("expect_column_values_to_be_between", column="x", min_value=-1, strict_min=True),
    e(
        "expect_column_values_to_be_between",
        column="d",
        min_value=0,
        max_value=0.6,
        strict_max=True,
    ),
    e("expect_column_values_to_be_between", column="wide", max_value=1000),
    e(
        "expect_column_values_to_be_between",
        column="day",
        min_value="2020-01-01",
        max_value="2021-01-01",
    ),
    e("expect_column_values_to_be_between", column="ts", min_value="2020-01-01T00:00:00"),
    e("expect_column_values_to_be_between", column="k", max_value=4, **ABOVE_TEN),
    e("expect_column_values_to_be_between", column="x", min_value=0, **GX_CONDITION),
    e("expect_column_values_to_be_in_set", column="k", value_set=[0, 1, 2, 3, 4]),
    e("expect_column_values_to_be_in_set", column="odd name", value_set=["fine", "good"]),
    e("expect_column_values_to_not_be_in_set", column="k", value_set=[99, 100]),
    e("expect_column_values_to_match_regex", column="name", regex="^n[0-9]$"),
    e("expect_column_values_to_match_regex", column="name", regex="^n[0-9]$", mostly=0.9),
    e("expect_column_values_to_not_match_regex", column="name", regex="!$"),
    e(
        "expect_column_values_to_match_regex_list",
        column="name",
        regex_list=["^n", "[0-9]$"],
        match_on="all",
    ),
    e(
        "expect_column_values_to_match_regex_list",
        column="name",
        regex_list=["^n", "^m"],
        match_on="any",
    ),
    e("expect_column_values_to_not_match_regex_list", column="name", regex_list=["!", "a{9}"]),
    e("expect_column_value_lengths_to_be_between", column="name", min_value=1, max_value=5),
    e("expect_column_value_lengths_to_equal", column="name", value=2),
    e("expect_table_row_count_to_be_between", min_value=1, max_value=60),
    e("expect_table_row_count_to_equal", value=60),
    e("expect_table_columns_to_match_set", column_set=COLUMNS),
    e("expect_table_columns_to_match_ordered_list", column_list=COLUMNS),
    e("expect_table_column_count_to_equal", value=16),
    e("expect_table_column_count_to_be_between", min_value=1, max_value=20),
    e("expect_column_to_exist", column="id"),
    e("expect_column_max_to_be_between", column="id", max_value=60),
    e("expect_column_max_to_be_between", column="ts", min_value="2020-01-01T00:00:00"),
    e("expect_column_max_to_be_between", column="d", max_value=1),
    e("expect_column_min_to_be_between", column="k", min_value=0),
    e("expect_column_min_to_be_between", column="x", min_value=0, **ABOVE_TEN),
    e("expect_column_min_to_be_between", column="day", min_value="2020-01-01"),
    e("expect_column_mean_to_be_between", column="x", min_value=0, max_value=10),
    e("expect_column_mean_to_be_between", column="d", max_value=1),
    e("expect_column_sum_to_be_between", column="x", min_value=0, max_value=1000),
    e("expect_column_sum_to_be_between", column="i32", min_value=0),
    e("expect_column_sum_to_be_between", column="d", min_value=0, max_value=1000, **ABOVE_TEN),
    e("expect_column_stdev_to_be_between", column="x", min_value=0, max_value=10),
    e("expect_column_values_to_be_of_type", column="id", type_="LongType"),
    e("expect_column_values_to_be_in_type_list", column="x", type_list=["DoubleType", "FloatType"]),
    e("expect_column_pair_values_to_be_equal", column_A="id", column_B="id"),
    e("expect_column_pair_values_a_to_be_greater_than_b", column_A="b", column_B="id"),
    e(
        "expect_column_pair_values_a_to_be_greater_than_b",
        column_A="b",
        column_B="id",
        or_equal=True,
        **ABOVE_TEN,
    ),
    e(
        "expect_column_pair_values_a_to_be_greater_than_b",
        column_A="b",
        column_B="id",
        ignore_row_if="either_value_is_missing",
    ),
    e("expect_select_column_values_to_be_unique_within_record", column_list=["id", "b"]),
    e(
        "expect_select_column_values_to_be_unique_within_record",
        column_list=["id", "b"],
        ignore_row_if="any_value_is_missing",
    ),
    e("expect_multicolumn_values_to_be_equal", column_list=["id", "id"]),
    e("expect_column_proportion_of_non_null_values_to_be_between", column="id", min_value=0.9),
]

STAGED_TOO: list[Config] = [
    e("expect_column_values_to_be_unique", column="id"),
    e("expect_column_values_to_be_unique", column="x"),
    e("expect_column_values_to_be_unique", column="name", mostly=0.5, **ABOVE_TEN),
    e("expect_compound_columns_to_be_unique", column_list=["id", "k"]),
    e(
        "expect_compound_columns_to_be_unique",
        column_list=["k", "name"],
        ignore_row_if="any_value_is_missing",
    ),
    e("expect_column_median_to_be_between", column="id", min_value=0, max_value=100),
    e(
        "expect_column_quantile_values_to_be_between",
        column="id",
        quantile_ranges={"quantiles": [0.1, 0.9], "value_ranges": [[0, 10], [None, 60]]},
        allow_relative_error=False,
    ),
    e("expect_column_distinct_values_to_be_in_set", column="k", value_set=[0, 1, 2, 3, 4]),
    e("expect_column_distinct_values_to_contain_set", column="k", value_set=[0, 1]),
    e("expect_column_distinct_values_to_equal_set", column="k", value_set=[0, 1, 2, 3, 4]),
    e("expect_column_unique_value_count_to_be_between", column="k", min_value=5, max_value=5),
    e("expect_column_proportion_of_unique_values_to_be_between", column="id", min_value=1),
    e("expect_column_most_common_value_to_be_in_set", column="odd name", value_set=["fine"]),
    e("expect_column_value_z_scores_to_be_less_than", column="id", threshold=3, double_sided=True),
    e("expect_column_values_to_be_increasing", column="id"),
    e("expect_column_values_to_be_decreasing", column="id"),
    e("expect_column_values_to_be_json_parseable", column="js"),
    e("expect_column_values_to_match_strftime_format", column="digits", strftime_format="%d"),
    e("expect_column_values_to_match_regex", column="name", regex="^(n|m)+[0-9]$"),
    e(
        "expect_column_pair_values_to_be_in_set",
        column_A="id",
        column_B="k",
        value_pairs_set=[[0, 0], [1, 1]],
    ),
    e("expect_multicolumn_sum_to_equal", column_list=["k", "b"], sum_total=7),
    e("unexpected_rows_expectation", unexpected_rows_query="SELECT * FROM {batch} WHERE k > 4"),
]

RAISING: list[Config] = [
    e("expect_column_values_to_be_between", column="digits", min_value=0),
    e("expect_column_sum_to_be_between", column="wide", min_value=0),
    e("expect_column_max_to_be_between", column="nowhere", max_value=60),
    e("expect_column_pair_values_to_be_equal", column_A="id", column_B="nowhere"),
    e("expect_column_mean_to_be_between", column="name", max_value=60),
    e("expect_column_values_to_be_between", column="k", min_value=0, max_value=4),
]
MEDIAN = "expect_column_median_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"
THREE = {"quantiles": [0.9, 0.1, 0.5], "value_ranges": [[0, 10], [None, 60], [1, 2]]}
TOGETHER: list[Config] = [
    *(e(MEDIAN, column=column, min_value=0, max_value=9) for column in ("id", "x", "k", "d", "b")),
    e(QUANTILES, column="id", quantile_ranges=THREE),
    e(QUANTILES, column="x", quantile_ranges=THREE, allow_relative_error=0.1),
    e(MEDIAN, column="x", max_value=9, **ABOVE_TEN),
]
TABLES = {
    "one pass": ONE_PASS,
    "staged too": STAGED_TOO,
    "raising": RAISING,
    "quantiles": TOGETHER,
    "quantiles of text": [*TOGETHER, e(MEDIAN, column="name", max_value=9)],
}
COMPARED = [
    *(("one pass", name) for name in FRAMES),
    *(("staged too", name) for name in ("good", "bad", "empty")),
    *(("raising", name) for name in ("good", "bad")),
    *(("quantiles", name) for name in FRAMES),
    ("quantiles of text", "bad"),
]
ALWAYS_COMPARED = [
    *(("one pass", name) for name in FRAMES if name != "one row"),
    ("staged too", "bad"),
    ("raising", "bad"),
    ("quantiles", "nan"),
    ("quantiles of text", "bad"),
]

Plain = Callable[[str, str], list[Any]]


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> Iterator[Mapping[str, DataFrame]]:
    """Hold the frames in memory: each of hundreds of jobs would otherwise start from Python."""
    made = {}
    for name, rows in FRAMES.items():
        made[name] = spark.createDataFrame(rows, SCHEMA).coalesce(1).cache()
        made[name].count()
    yield made
    for frame in made.values():
        frame.unpersist()


@pytest.fixture(scope="module")
def plain(frames: Mapping[str, DataFrame]) -> Plain:
    """Return what Great Expectations itself says of a table of expectations; it is asked once."""
    source = plain_source()
    answered: dict[tuple[str, str], list[Any]] = {}

    def results(table: str, name: str) -> list[Any]:
        if (table, name) not in answered:
            suite = suite_of(*TABLES[table])
            answered[table, name] = validated(source, f"{table} {name}", frames[name], suite)
        return answered[table, name]

    return results


def suite_of(*configs: Config) -> Suite:
    return Suite(
        name="equality", document={"name": "equality", "expectations": list(configs), "meta": {}}
    )


def judged(spark: SparkSession, frame: DataFrame, suite: Suite) -> list[Any]:
    gate: Any = open_gate(spark, suite, {})
    gate.plan(frame.schema)
    gate.judge(frame)
    return list(gate._results)


def plain_source() -> Any:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_spark("plain", persist=False)


def validated(source: Any, name: str, frame: DataFrame, suite: Suite) -> list[Any]:
    """Return Great Expectations' results in the order of the suite, from one validation of it."""
    import great_expectations as gx

    asset = source.add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    numbered = [
        {**each, "id": str(place)} for place, each in enumerate(suite.document["expectations"])
    ]
    whole = batch.validate(
        gx.ExpectationSuite(name=suite.name, expectations=numbered),
        result_format=runtime()["result_format"],
    )
    return sorted(whole.results, key=lambda each: int(each.expectation_config.id))


def differences(ours: list[Any], theirs: list[Any]) -> list[str]:
    found = []
    for mine, his in zip(ours, theirs, strict=True):
        if not same(outcome(mine), outcome(his)):
            asked = f"{mine.expectation_config.type} {mine.expectation_config.kwargs}"
            found.append(f"{asked}: {outcome(mine)} is not {outcome(his)}")
    return found


def outcome(result: Any) -> dict[str, Any]:
    raised = any(
        "exception_message" in str(key) or isinstance(note, Mapping)
        for key, note in _notes(result).items()
    )
    return {
        "success": result.success,
        "raised": raised and not _calm(result),
        "result": dict(result.result or {}),
    }


def _notes(result: Any) -> Mapping[str, Any]:
    info = result.exception_info or {}
    return info if isinstance(info, Mapping) else vars(info)


def _calm(result: Any) -> bool:
    return _notes(result).get("raised_exception") is False


def same(a: object, b: object) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(("table", "name"), only(COMPARED, ALWAYS_COMPARED))
def test_equals_plain_great_expectations(
    spark: SparkSession, frames: Mapping[str, DataFrame], plain: Plain, table: str, name: str
) -> None:
    ours = judged(spark, frames[name], suite_of(*TABLES[table]))
    assert differences(ours, plain(table, name)) == []


@pytest.mark.parametrize("table", ["one pass", "staged too", "raising", "quantiles"])
def test_data_after_data_is_judged_as_each_by_itself(
    spark: SparkSession, frames: Mapping[str, DataFrame], plain: Plain, table: str
) -> None:
    """What is kept from one micro-batch of a stream to the next makes no difference."""
    gate: Any = open_gate(spark, suite_of(*TABLES[table]), {})
    asked = [name for known, name in ALWAYS_COMPARED if known == table]
    for name in ("good", *asked, "empty", *asked):
        gate.plan(frames[name].schema)
        gate.judge(frames[name])
        if name in asked:
            assert differences(list(gate._results), plain(table, name)) == [], name
    assert gate._planning.graphs.built


def test_planning_starts_no_job_and_judging_what_passes_one(
    spark: SparkSession, frames: Mapping[str, DataFrame], jobs: Callable[[], int]
) -> None:
    gate: Any = open_gate(spark, suite_of(*ONE_PASS), {})
    started = jobs()
    gate.plan(frames["good"].schema)
    gate._planning.result()
    assert jobs() == started, "planning ran a job"
    judgement = gate.judge(frames["good"])
    assert jobs() == started + 1
    assert judgement.failed == ()


def test_quantiles_of_all_columns_are_one_pass(
    spark: SparkSession, frames: Mapping[str, DataFrame], jobs: Callable[[], int]
) -> None:
    spent = []
    for medians in (TOGETHER[:1], TOGETHER[:5]):
        gate: Any = open_gate(spark, suite_of(*medians), {})
        started = jobs()
        gate.judge(frames["good"])
        spent.append(jobs() - started)
    assert spent[1] == spent[0]


def title(place: int) -> str:
    config = ONE_PASS[place]
    return f"{config['type']}-{config['kwargs'].get('column', '')}"


@pytest.mark.parametrize("place", thinned(range(len(ONE_PASS)), 8), ids=title)
def test_a_rule_alone_costs_one_job_at_the_most(
    spark: SparkSession,
    frames: Mapping[str, DataFrame],
    plain: Plain,
    jobs: Callable[[], int],
    place: int,
) -> None:
    gate: Any = open_gate(spark, suite_of(ONE_PASS[place]), {})
    started = jobs()
    gate.judge(frames["good"])
    assert jobs() - started <= 1
    assert differences(gate._results, [plain("one pass", "good")[place]]) == []
