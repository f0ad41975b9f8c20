"""How the gate behaves: verdicts by severity, faults kept apart, hidden values not shown."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Expectation, Judgement, Suite
from tidegate.driver.gate import open_gate, preload
from tidegate.driver.gate.bounded import shown_kwargs
from tidegate.telling.finding import finding
from tidegate.telling.wording import bound

Config = dict[str, Any]
EMAILS = ["ann@example.org", "bob@example.org", "not an address", "eve@example.org"]


def e(kind: str, severity: str = "critical", **kwargs: Any) -> Config:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


def suite_of(*configs: Config, **meta: Any) -> Suite:
    return Suite(
        name="flights", document={"name": "flights", "expectations": list(configs), "meta": meta}
    )


@pytest.fixture
def people(spark: SparkSession) -> DataFrame:
    rows = [(i, i * 1.5, email, str(i)) for i, email in enumerate(EMAILS)]
    return spark.createDataFrame(
        rows, "id long, score double, email string, digits string"
    ).coalesce(1)


def judge(frame: DataFrame, suite: Suite, **parameters: object) -> Judgement:
    gate = open_gate(frame.sparkSession, suite, parameters)
    gate.plan(frame.schema)
    return gate.judge(frame)


def named(judgement: Judgement, kind: str) -> Expectation:
    return next(each for each in judgement.expectations if each.type == kind)


FAILING = "expect_column_values_to_be_between"
PASSING = e("expect_column_values_to_not_be_null", column="id")


@pytest.mark.parametrize(
    ("kind", "kwargs", "told"),
    [
        ("set", {"column_set": ["id", "age"], "exact_match": False}, ("age missing",)),
        (
            "set",
            {"column_set": ["id", "age", "score", "email"]},
            ("age missing", "digits not asked for"),
        ),
        ("set", {"column_set": ["id"], "exact_match": False}, ()),
        (
            "ordered_list",
            {"column_list": ["id", "email", "score"]},
            ("score for email", "email for score", "digits for nothing"),
        ),
    ],
)
def test_columns_that_differ_are_named(
    people: DataFrame, kind: str, kwargs: Config, told: tuple[str, ...]
) -> None:
    judged = judge(people, suite_of(e(f"expect_table_columns_to_match_{kind}", **kwargs)))
    assert judged.expectations[0].examples == told


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([], "pass"),
        (["info"], "pass"),
        (["warning"], "warn"),
        (["info", "warning"], "warn"),
        (["critical"], "closed"),
        (["info", "warning", "critical"], "closed"),
    ],
)
def test_the_gravest_failure_decides(
    people: DataFrame, severities: list[str], verdict: str
) -> None:
    failing = [
        e(FAILING, severity, column="id", max_value=place)
        for place, severity in enumerate(severities)
    ]
    judgement = judge(people, suite_of(PASSING, *failing))
    assert judgement.verdict == verdict
    assert [each.severity for each in judgement.failed] == sorted(
        severities, key=["critical", "warning", "info"].index
    )


def test_an_expectation_says_what_was_asked_and_seen(people: DataFrame) -> None:
    suite = suite_of(
        e("expect_column_values_to_match_regex", column="email", regex="@", mostly=0.9)
    )
    judged = judge(people, suite).expectations
    assert judged == (
        Expectation(
            id="1",
            type="expect_column_values_to_match_regex",
            severity="critical",
            success=False,
            kwargs={"column": "email", "regex": "@", "mostly": 0.9},
            unexpected=1,
            share=0.25,
            elements=4,
            examples=("not an address",),
        ),
    )
    assert bound(judged[0]) == "matches @, >= 90 %"
    assert finding(judged[0]) == "25 % do not match @ (1 of 4), <= 10 % allowed"


def test_an_example_of_a_compound_key_is_told_as_a_person_reads_it(spark: SparkSession) -> None:
    rows = spark.range(2).selectExpr("'UA' AS carrier", "CAST(15 AS DOUBLE) AS flight").coalesce(1)
    twice = e("expect_compound_columns_to_be_unique", column_list=["carrier", "flight"])
    (judged,) = judge(rows, suite_of(twice)).expectations
    assert judged.examples[0] == "carrier=UA flight=15"


@pytest.fixture(scope="module")
def custom() -> None:
    from great_expectations.execution_engine import SparkDFExecutionEngine
    from great_expectations.expectations.expectation import ColumnMapExpectation
    from great_expectations.expectations.metrics import (
        ColumnMapMetricProvider,
        column_condition_partial,
    )

    class TooLong(ColumnMapMetricProvider):
        condition_metric_name = "column_values.short"

        @column_condition_partial(engine=SparkDFExecutionEngine)
        def _spark(cls, column: Any, **_: Any) -> Any:
            return F.length(column) < 20

    class Integral(ColumnMapMetricProvider):
        condition_metric_name = "column_values.integral"

        @column_condition_partial(engine=SparkDFExecutionEngine)
        def _spark(cls, column: Any, **_: Any) -> Any:
            return F.udf(int, "int")(column) >= 0

    class ExpectColumnValuesToBeShort(ColumnMapExpectation):
        map_metric = "column_values.short"

    class ExpectColumnValuesToBeIntegral(ColumnMapExpectation):
        map_metric = "column_values.integral"


def test_a_custom_expectation_is_answered_by_the_one_query(
    people: DataFrame, custom: None, jobs: Callable[[], int]
) -> None:
    gate = open_gate(
        people.sparkSession, suite_of(e("expect_column_values_to_be_short", column="email")), {}
    )
    gate.plan(people.schema)
    started = jobs()
    assert gate.judge(people).verdict == "pass"
    assert jobs() == started + 1


THROWING = {
    "user function": e("expect_column_values_to_be_integral", column="email"),
    "cast": e(
        FAILING,
        column="id",
        max_value=9,
        row_condition="cast(email as int) > 0",
        condition_parser="spark",
    ),
}


@pytest.mark.parametrize("throwing", THROWING.values(), ids=THROWING)
def test_what_throws_fails_alone(people: DataFrame, custom: None, throwing: Config) -> None:
    fails = e(FAILING, "warning", column="id", max_value=2)
    judgement = judge(people, suite_of(throwing, fails, PASSING))
    broken, failed, passed = judgement.expectations
    assert (broken.success, failed.success, passed.success) == (False, False, True)
    assert (
        broken.exception is not None
        and len(broken.exception) <= 300
        and "\n" not in broken.exception
    )
    assert failed.examples == ("3",)
    assert judgement.verdict == "closed"


def test_evidence_of_one_is_not_emptied_by_another(people: DataFrame) -> None:
    holds, fails = e(FAILING, column="id", max_value=9), e(FAILING, column="id", max_value=2)
    first, second = judge(people, suite_of(holds, fails)).expectations
    assert (first.examples, second.examples) == ((), ("3",))


def test_an_expectation_that_asks_the_data_while_planning(people: DataFrame) -> None:
    suite = suite_of(
        e("expect_column_kl_divergence_to_be_less_than", column="score", threshold=9.0), PASSING
    )
    judgement = judge(people, suite)
    assert named(judgement, "expect_column_values_to_not_be_null").success
    assert named(judgement, "expect_column_kl_divergence_to_be_less_than").exception is None


OF_ITS_DATA = [
    e("expect_column_kl_divergence_to_be_less_than", column="score", threshold=9.0),
    e("expect_column_values_to_be_short", column="email"),
]


@pytest.mark.parametrize("config", OF_ITS_DATA, ids=["of the data", "custom"])
def test_what_may_depend_on_the_data_is_asked_of_each_data_anew(
    people: DataFrame, custom: None, config: Config
) -> None:
    gate: Any = open_gate(people.sparkSession, suite_of(config, PASSING), {})
    for frame in (people, people.limit(2)):
        gate.judge(frame)
    assert not gate._planning.graphs.built


def test_a_parameter_that_reads_the_clock_is_read_once(
    people: DataFrame, jobs: Callable[[], int]
) -> None:
    stamped = people.withColumn("seen", F.lit("2020-01-01").cast("timestamp"))
    suite = suite_of(e(FAILING, column="seen", max_value={"$PARAMETER": "now()"}))
    gate = open_gate(people.sparkSession, suite, {})
    gate.plan(stamped.schema)
    started = jobs()
    assert gate.judge(stamped).verdict == "pass"
    assert jobs() - started == 1


def test_parameters_are_filled_in(people: DataFrame) -> None:
    suite = suite_of(e(FAILING, column="id", max_value={"$PARAMETER": "limit"}))
    assert [judge(people, suite, limit=limit).verdict for limit in (2, 3)] == ["closed", "pass"]


def at_once(*works: Callable[[], Judgement]) -> list[Judgement]:
    results: dict[int, Judgement] = {}
    threads = [
        threading.Thread(target=lambda n=n, w=w: results.update({n: w()}))
        for n, w in enumerate(works)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return [results[place] for place in range(len(works))]


def test_two_gates_at_once_on_one_frame(people: DataFrame) -> None:
    suites = [
        suite_of(e("expect_column_max_to_be_between", column=column, max_value=0))
        for column in ("id", "score")
    ]
    judgements = at_once(*(lambda suite=suite: judge(people, suite) for suite in suites))
    assert [each.expectations[0].observed for each in judgements] == [3, 4.5]


def test_two_gates_at_once_do_not_read_each_others_rows(people: DataFrame) -> None:
    suite = suite_of(
        e("unexpected_rows_expectation", unexpected_rows_query="SELECT * FROM {batch} WHERE id > 0")
    )
    frames = [people.limit(2), people, people.limit(1)]
    judgements = at_once(*(lambda frame=frame: judge(frame, suite) for frame in frames))
    assert [each.expectations[0].unexpected for each in judgements] == [1, 3, 0]


def test_a_great_expectations_that_passes_the_gate_by_is_noticed(
    people: DataFrame, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.driver.gate import gx

    monkeypatch.delattr(gx.Engine, "_process_direct_and_bundled_metric_computation_configurations")
    suite = suite_of(PASSING, e("expect_column_median_to_be_between", column="id", max_value=9))
    assert judge(people, suite).verdict == "pass"
    assert caplog.messages == [
        "Great Expectations never called compute_round; judging as slowly as it does"
    ]


def test_a_great_expectations_that_plans_without_the_gate_is_noticed(
    people: DataFrame, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.driver.gate import plan

    monkeypatch.setattr(plan, "resolve", lambda engine, edges, runtime: None)
    gate = open_gate(people.sparkSession, suite_of(PASSING), {})
    assert gate.judge(people).verdict == "pass"
    assert caplog.messages == [
        "Great Expectations never called resolve_metrics; nothing could be planned"
    ]


def test_judging_needs_no_plan_beforehand(people: DataFrame, jobs: Callable[[], int]) -> None:
    gate = open_gate(
        people.sparkSession, suite_of(PASSING, e(FAILING, column="score", max_value=9)), {}
    )
    started = jobs()
    assert gate.judge(people).verdict == "pass"
    assert jobs() - started == 1, "one query over the staged data"


def test_a_missing_column_names_those_there_are(people: DataFrame) -> None:
    judgement = judge(
        people, suite_of(e("expect_column_max_to_be_between", "warning", column="hight"), PASSING)
    )
    assert (
        judgement.failed[0].exception
        == "column 'hight' is not in the data; columns: id, score, email, digits"
    )
    assert judgement.verdict == "warn"


def test_a_crash_is_not_a_verdict(people: DataFrame, tmp_path: Path) -> None:
    people.write.parquet(str(tmp_path / "staged"))
    staged = people.sparkSession.read.parquet(str(tmp_path / "staged"))
    gate = open_gate(
        people.sparkSession, suite_of(e("expect_column_median_to_be_between", column="id")), {}
    )
    gate.plan(people.schema)
    for part in (tmp_path / "staged").glob("*.parquet"):
        part.unlink()
    with pytest.raises(Exception, match=r"FAILED_READ_FILE|does not exist"):
        gate.judge(staged)


LEAKY = [
    e("expect_column_values_to_match_regex", column="email", regex="^[a-z]+$"),
    e("expect_column_max_to_be_between", column="email", max_value="2020-01-01"),
    e("expect_column_max_to_be_between", column="email", max_value=3),
    e("expect_column_distinct_values_to_be_in_set", column="email", value_set=["x"]),
    e("expect_column_most_common_value_to_be_in_set", column="email", value_set=["x"]),
    e("expect_column_pair_values_to_be_equal", column_A="email", column_B="digits"),
    e("expect_compound_columns_to_be_unique", column_list=["email", "id"]),
    e("unexpected_rows_expectation", unexpected_rows_query="SELECT * FROM {batch} WHERE id > 0"),
    THROWING["cast"],
]


@pytest.mark.parametrize("hidden", ["by the suite", "by the expectation", "not hidden"])
def test_values_of_hidden_columns_are_not_shown(people: DataFrame, hidden: str) -> None:
    by_suite: Mapping[str, Any] = (
        {"tidegate": {"pii": ["email"], "data_docs": True}}
        if hidden == "by the suite"
        else {"tidegate": {"data_docs": True}}
    )
    own = {"meta": {"tidegate": {"pii": ["email"]}}} if hidden == "by the expectation" else {}
    gate = open_gate(
        people.sparkSession, suite_of(*({**each, **own} for each in LEAKY), **by_suite), {}
    )
    gate.plan(people.schema)
    shown = repr(gate.judge(people)) + gate.data_docs()
    leaked = [email for email in EMAILS if email in shown or email.replace("@", "&#64;") in shown]
    assert bool(leaked) == (hidden == "not hidden")


def test_data_docs_show_three_examples_at_most(spark: SparkSession) -> None:
    frame = spark.range(1000, 1050).coalesce(1)
    asked = {"tidegate": {"data_docs": True}}
    gate = open_gate(spark, suite_of(e(FAILING, column="id", max_value=5), **asked), {})
    assert gate.data_docs() == ""
    gate.plan(frame.schema)
    assert gate.judge(frame).expectations[0].examples == ("1000", "1001", "1002")
    page = gate.data_docs()
    assert "<html" in page and "1002" in page and "1003" not in page


def test_data_docs_are_not_rendered_unasked(spark: SparkSession) -> None:
    gate = open_gate(spark, suite_of(e(FAILING, column="id", max_value=5)), {})
    gate.judge(spark.range(9).toDF("id"))
    assert gate.data_docs() == ""


def test_examples_are_short(spark: SparkSession) -> None:
    frame = spark.range(9).select(F.repeat(F.lit("long"), 90).alias("text")).coalesce(1)
    (judged,) = judge(
        frame, suite_of(e("expect_column_value_lengths_to_equal", column="text", value=1))
    ).expectations
    assert len(judged.examples) == 3 and {len(each) for each in judged.examples} == {40}


def test_an_empty_suite_never_imports_great_expectations() -> None:
    program = """
import sys
from tidegate.contract import Suite
from tidegate.driver.gate import open_gate, preload

suite = Suite(name="none", document={"expectations": []})
preload(suite)
gate = open_gate(None, suite, {})
frame = object()
gate.plan(frame)
assert gate.judge(frame).verdict == "pass"
assert gate.data_docs() == ""
print("great_expectations" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="plugins", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_preloading_is_enough(people: DataFrame) -> None:
    preload(suite_of(PASSING))
    before = {name for name in sys.modules if name.startswith("great_expectations")}
    judge(people, suite_of(PASSING))
    assert {name for name in sys.modules if name.startswith("great_expectations")} == before


@pytest.mark.parametrize(
    ("kind", "kwargs", "text"),
    [
        ("expect_column_values_to_be_between", {"min_value": 0.0, "max_value": 100.0}, "[0, 100]"),
        (
            "expect_column_values_to_be_between",
            {"min_value": 0.25, "max_value": 1, "strict_max": True},
            "[0.25, 1)",
        ),
        ("expect_column_max_to_be_between", {"max_value": 5, "strict_max": True}, "< 5"),
        (
            "expect_column_values_to_be_in_set",
            {"value_set": list("abcdefghijkl")},
            "in {a, b, c, … 9 more}",
        ),
        ("expect_column_values_to_not_be_in_set", {"value_set": [1, 2]}, "not in {1, 2}"),
        ("expect_column_values_to_not_match_regex", {"regex": "^x$"}, "not matches ^x$"),
        ("expect_table_row_count_to_equal", {"value": 100}, "= 100"),
        ("expect_column_values_to_not_be_null", {"mostly": 0.99}, "not null, >= 99 %"),
        ("expect_column_values_to_be_unique", {"row_condition": "id > 1"}, "unique, where id > 1"),
        ("expect_column_values_to_be_of_type", {"type_": "LongType"}, "type LongType"),
        ("expect_something_new", {"depth": 3}, "depth = 3"),
    ],
)
def test_bounds_in_words(kind: str, kwargs: dict[str, Any], text: str) -> None:
    asked = Expectation(
        id="1", type=kind, severity="critical", success=True, kwargs=shown_kwargs(kwargs, False)
    )
    assert bound(asked) == text


def test_a_frame_scored_by_a_freshly_fitted_model_can_be_gated(spark: SparkSession) -> None:
    """A session that keeps an observation manager can no longer ship such a model."""
    session = spark.newSession()
    rows = session.range(40).selectExpr(
        "CAST(id AS DOUBLE) AS x", "CAST(id % 2 AS DOUBLE) AS label"
    )
    frame = VectorAssembler(inputCols=["x"], outputCol="features").transform(rows)
    scored = LogisticRegression().fit(frame).transform(frame).select("x", "prediction")
    suite = {
        "name": "s",
        "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}}
        ],
    }
    gate = open_gate(session, Suite(name="s", document=suite), {})
    assert gate.judge(scored).verdict == "pass"
