"""Rows of a stream one by one: those that break a rule, and those that replace others by key."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from streams import POSITIVE, StreamBench

from tidegate.contract import Merge, Report
from tidegate.driver.__main__ import FAILED, HELD
from tidegate.driver.targets.table.forward import StreamedTable

AS_IT_IS = "def run(events):\n    return events\n"
TWICE = "def run(events):\n    return events.selectExpr('*', 'id * 2 AS twice')\n"
COUNTED = """
from pyspark.sql import functions as F

def run(events):
    return events.groupBy("id").agg(F.sum("v").alias("v"))
"""


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> StreamBench:
    return StreamBench(spark, tmp_path)


MOSTLY = {**POSITIVE, "kwargs": {**POSITIVE["kwargs"], "mostly": 0.5}}


def letters(bench: StreamBench) -> list[Any]:
    return bench.spark.table(f"{bench.table}__dead_letters").orderBy("value").collect()


@pytest.mark.parametrize("job", [AS_IT_IS, TWICE], ids=["as before", "with a new column"])
def test_rows_that_break_a_rule_are_dead_letters(bench: StreamBench, job: str) -> None:
    bench.land(1)
    bench.run(job=AS_IT_IS, dead_letters=True)
    bench.land(2)
    (bench.landing / "bad.json").write_text(
        '{"id": 3, "v": -3}\n{"id": null, "v": -4}\n{"id": 5, "v": 5}\n{"id": 6, "v": 6}\n'
    )
    known = {"type": "expect_column_values_to_not_be_null", "severity": "critical"}
    mild = {"type": "expect_column_values_to_be_between", "severity": "warning"}
    rules = [
        MOSTLY,
        {**known, "kwargs": {"column": "id", "mostly": 0.5}},
        {**mild, "kwargs": {"column": "id", "max_value": 5}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    ]
    code, report = bench.run(run_id="r2", job=job, dead_letters=True, expectations=rules)
    # Who breaks a warning alone is published with it.
    assert (code, bench.ids(), report.verdict) == (0, [1, 2, 5, 6], "warn"), report.failure
    both, one = sorted(letters(bench), key=lambda row: len(row.value))
    assert json.loads(bytes(one.value))["id"] == 3
    assert json.loads(bytes(both.value))["v"] == -4
    between = "expect_column_values_to_be_between (v)"
    as_json = "; its message is not known: value is the row as JSON"
    assert one.reason == between + as_json
    assert both.reason == f"{between}; expect_column_values_to_not_be_null (id){as_json}"
    assert (one.partition, one.offset, one.source) == (None, None, str(bench.landing))
    assert set(bench.metadata().refs) == {"main"}


def test_what_is_left_of_a_batch_is_judged_by_itself(bench: StreamBench) -> None:
    bench.land(1, 2)
    bench.land(3, v=-1.0)
    count = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}}
    code, report = bench.run(dead_letters=True, expectations=[MOSTLY, count])
    assert (code, report.verdict, bench.ids()) == (HELD, "closed", [])
    assert letters(bench) == []
    assert report.flow is not None
    assert report.flow.dead == 0
    # Without being asked, a row within the budget is published, as in any stage.
    code, report = bench.run(run_id="r2", expectations=[MOSTLY, count])
    assert (code, bench.ids()) == (0, [1, 2, 3])


def test_rows_of_pii_columns_are_in_no_report(bench: StreamBench) -> None:
    bench.land(1, 2)
    bench.land(3, v=-1234.5)
    hidden = {**MOSTLY, "meta": {"tidegate": {"pii": ["v"]}}}
    code, report = bench.run(dead_letters=True, expectations=[hidden])
    assert (code, bench.ids(), len(letters(bench))) == (0, [1, 2], 1)
    assert "1234" not in report.to_json() + bench.told()


def update(bench: StreamBench, run_id: str = "r1", **overrides: Any) -> tuple[int, Report]:
    given = {"mode": "update", "merge": Merge(keys=["id"]), "job": AS_IT_IS, **overrides}
    return bench.run(run_id=run_id, **given)


def values(bench: StreamBench) -> dict[int, float]:
    bench.spark.catalog.refreshTable(bench.table)
    return {row.id: row.v for row in bench.spark.table(bench.table).orderBy("id").collect()}


def left_aside(bench: StreamBench) -> list[str]:
    namespace, _, name = bench.table.rpartition(".")
    tables = [row.tableName for row in bench.spark.sql(f"SHOW TABLES IN {namespace}").collect()]
    return [each for each in tables if each.startswith(f"{name}__staged")]


def test_what_a_key_is_counted_to_replaces_what_it_was(bench: StreamBench) -> None:
    bench.land(1, 1, 2)
    code, report = update(bench, job=COUNTED)
    assert (code, values(bench)) == (0, {1: 2.0, 2: 1.0}), report.failure
    bench.land(1, 3)
    bench.land(3)
    code, report = update(bench, "r2", job=COUNTED, max_per_batch=1)
    assert (code, values(bench)) == (0, {1: 3.0, 2: 1.0, 3: 2.0}), report.failure
    # Each micro-batch is one commit to main, and leaves nothing aside.
    assert (bench.numbers(), len(bench.ids())) == ([0, 1, 2], 3)
    assert report.flow is not None
    assert (report.flow.batches, report.flow.rows) == (2, 3)
    assert set(bench.metadata().refs) == {"main"}
    assert left_aside(bench) == []


def test_a_key_that_comes_twice_in_a_batch_ends_it_before_the_table_is_touched(
    bench: StreamBench,
) -> None:
    bench.land(1)
    update(bench)
    before = bench.metadata().refs["main"]
    bench.land(2, 2)
    code, report = update(bench, "r2")
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == "DataError"
    assert "2 of 2 rows share their key (id)" in report.failure.message
    assert bench.metadata().refs["main"] == before


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_merge_that_fails_around_its_commit_is_there_once(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    bench.land(1, 2)
    update(bench)
    bench.land(2, 3, v=5.0)
    forward = StreamedTable.forward

    def breaking(table: StreamedTable, move: Any) -> int:
        if at == "after":
            forward(table, move)
        raise OSError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(StreamedTable, "forward", breaking)
        assert update(bench, "r2")[0] == FAILED
    code, report = update(bench, "r2", try_number=2)
    assert (code, values(bench)) == (0, {1: 1.0, 2: 5.0, 3: 5.0})
    assert (bench.numbers(), left_aside(bench)) == ([0, 1], [])
    assert report.flow is not None
    assert report.flow.skipped == (at == "after")


def test_a_merge_is_made_anew_where_others_have_published_meanwhile(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.land(1)
    update(bench)
    bench.land(1, 2, v=5.0)
    bench.land(3)
    forward = StreamedTable.forward
    moves: list[Any] = []

    def overtaken(table: StreamedTable, move: Any) -> int:
        moves.append(move)
        if len(moves) == 1:
            bench.spark.sql(f"INSERT INTO {bench.table} VALUES (2, 9.0), (99, 9.0)")
        return forward(table, move)

    monkeypatch.setattr(StreamedTable, "forward", overtaken)
    code, report = update(bench, "r2", max_per_batch=1)
    assert (code, len(moves)) == (0, 3), report.failure
    assert values(bench) == {1: 5.0, 2: 5.0, 3: 1.0, 99: 9.0}
    assert len(bench.ids()) == 4


def test_rows_to_merge_are_judged_and_held_like_all_others(bench: StreamBench) -> None:
    bench.land(1, 2)
    update(bench)
    bench.land(2, v=-1.0)
    bench.land(3)
    code, report = update(bench, "r2", max_per_batch=1)
    assert (code, values(bench)) == (HELD, {1: 1.0, 2: 1.0})
    assert report.output is not None
    assert bench.spark.table(str(report.output.held_at)).count() == 1
    code, _ = update(bench, "r3", expectations=[], job=TWICE)
    assert (code, values(bench)) == (0, {1: 1.0, 2: -1.0, 3: 1.0})
    assert (bench.numbers(), left_aside(bench)) == ([0, 1, 2], [])


def test_rows_that_break_a_rule_are_not_merged(bench: StreamBench) -> None:
    bench.land(1)
    update(bench, dead_letters=True)
    bench.land(1, v=-1.0)
    bench.land(2, 3)
    code, report = update(bench, "r2", dead_letters=True, expectations=[MOSTLY])
    assert (code, values(bench)) == (0, {1: 1.0, 2: 1.0, 3: 1.0}), report.failure
    assert len(letters(bench)) == 1


def test_keys_that_are_no_columns_are_refused_before_there_is_a_table(bench: StreamBench) -> None:
    bench.land(1)
    code, report = update(bench, merge=Merge(keys=["code"]))
    assert code == FAILED
    assert report.failure is not None
    assert (report.failure.type, "['code']" in report.failure.message) == ("SpecError", True)
    assert not bench.spark.catalog.tableExists(bench.table)
