"""Merging: what readers see of rows that replace rows by their keys, whoever interferes."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count, product
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from specs import CLOSED, PASS, Stepwise, Verdict, spec, wake_up_late
from tests.thinned import thinned

from tidegate.contract import Judgement, Merge, Output, StageSpec
from tidegate.driver.diagnose import diagnose
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.targets.settle import settle
from tidegate.driver.targets.table import TableTarget, merged
from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.metadata import Branch
from tidegate.errors import DataError, PublishError, SpecError

_names = (f"lake.db.m{number}" for number in count())
ON_ID = Merge(keys=["id"])
WITH_DELETES = Merge(keys=["id"], deletes="gone")
WHOLE = Merge(keys=["id"], judge="table")
ENDS = ("published", "held", "failed", "running")
MOMENTS = ("begin", "stage", "publish")
Row = tuple[Any, ...]


@pytest.fixture
def table() -> str:
    return next(_names)


def asked(table: str, run_id: str = "r1", merge: Merge = ON_ID, **more: Any) -> StageSpec:
    return spec(table, mode="merge", merge=merge, run_id=run_id, **more)


def rows(spark: SparkSession, *given: Row, columns: str = "id INT, v STRING") -> DataFrame:
    return spark.createDataFrame(list(given), columns)


def stepwise(spark: SparkSession, at: StageSpec, fingerprint: str = "f") -> Stepwise:
    return Stepwise(TableTarget(spark, at, fingerprint))


class Watching(Verdict):
    """A gate that has made up its mind, and keeps what it was shown."""

    def judge(self, staged: DataFrame, facts: FileFacts | None = None) -> Judgement:
        self.shown = sorted(map(tuple, staged.collect()), key=str)
        self.facts = facts
        self.columns = staged.columns
        return super().judge(staged, facts)


def publish(
    spark: SparkSession,
    at: StageSpec,
    data: DataFrame,
    fingerprint: str | None = None,
    gate: Verdict | None = None,
) -> Output:
    begun = TableTarget(spark, at, fingerprint or str(at.attempt)).begin()
    return begun if isinstance(begun, Output) else settle(begun, data, gate or Verdict()).output


def seen(spark: SparkSession, table: str) -> list[Row]:
    spark.catalog.refreshTable(table)
    return sorted((tuple(row) for row in spark.table(table).collect()), key=str)


def refs(spark: SparkSession, table: str) -> set[str]:
    return {row.name for row in spark.sql(f"SELECT name FROM {table}.refs").collect()}


def sidecars(spark: SparkSession, table: str) -> list[str]:
    begins = table.rpartition(".")[2] + "__staged_"
    tables = spark.sql("SHOW TABLES IN lake.db").collect()
    return [row.tableName for row in tables if row.tableName.startswith(begins)]


def tidy(spark: SparkSession, table: str) -> bool:
    return refs(spark, table) == {"main"} and sidecars(spark, table) == []


def test_rows_are_replaced_by_their_key_and_others_added(spark: SparkSession, table: str) -> None:
    first = publish(spark, asked(table), rows(spark, (1, "a"), (2, "b")))
    assert (first.rows, first.previous, seen(spark, table)) == (2, None, [(1, "a"), (2, "b")])
    done = publish(spark, asked(table, "r2"), rows(spark, (2, None), (3, "c")))
    assert seen(spark, table) == [(1, "a"), (2, None), (3, "c")]
    assert (done.rows, done.note) == (2, "merged by id: 1 inserted, 1 updated, 0 deleted")
    assert tidy(spark, table)


@pytest.mark.parametrize(
    ("how", "merge"),
    [
        ("copy-on-write", ON_ID),
        ("merge-on-read", WHOLE),
        pytest.param("merge-on-read", ON_ID, marks=pytest.mark.slow),
        pytest.param("copy-on-write", WHOLE, marks=pytest.mark.slow),
    ],
)
def test_the_same_rows_again_change_nothing_more(
    spark: SparkSession, table: str, how: str, merge: Merge
) -> None:
    publish(spark, asked(table, merge=merge), rows(spark, (1, "a"), (2, "b"), (3, "c")))
    spark.sql(
        f"ALTER TABLE {table} SET TBLPROPERTIES ('format-version'='2', 'write.merge.mode'='{how}')"
    )
    for run in ("r2", "r2-cleared", "r3"):
        publish(spark, asked(table, run, merge=merge), rows(spark, (2, "B"), (4, "d")))
        assert seen(spark, table) == [(1, "a"), (2, "B"), (3, "c"), (4, "d")]
    assert tidy(spark, table)


def test_several_keys_and_names_that_need_quotes(spark: SparkSession, table: str) -> None:
    columns = "`a.b` INT, `sel``ect` STRING, `Größe $x` DOUBLE"
    merge = Merge(keys=["A.B", "sel`ect"])
    first = rows(spark, (1, "x", 1.0), (1, "y", 2.0), columns=columns)
    publish(spark, asked(table, merge=merge), first)
    publish(spark, asked(table, "r2", merge), rows(spark, (1, "y", 9.0), columns=columns))
    assert seen(spark, table) == [(1, "x", 1.0), (1, "y", 9.0)]


def test_columns_meet_by_name_and_narrow_numbers_widen(spark: SparkSession, table: str) -> None:
    publish(spark, asked(table), rows(spark, (1, 10), columns="id BIGINT, n BIGINT"))
    publish(spark, asked(table, "r2"), rows(spark, (20, 1), columns="N INT, ID INT"))
    assert seen(spark, table) == [(1, 20)]


@pytest.mark.parametrize("judge", ["rows", "table"])
def test_a_row_is_removed_where_the_output_says_so(
    spark: SparkSession, table: str, judge: Any
) -> None:
    merge = Merge(keys=["id"], deletes="gone", judge=judge)
    columns = "id INT, v STRING, gone BOOLEAN"
    first = rows(spark, (1, "a", False), (2, "b", None), (7, "never", True), columns=columns)
    publish(spark, asked(table, merge=merge), first)
    assert spark.table(table).columns == ["id", "v"]
    assert seen(spark, table) == [(1, "a"), (2, "b")]
    second = rows(spark, (1, None, True), (9, None, True), (3, "c", False), columns=columns)
    gate = Watching()
    publish(spark, asked(table, "r2", merge), second, gate=gate)
    assert seen(spark, table) == [(2, "b"), (3, "c")]
    judged = {"rows": [(3, "c")], "table": [(2, "b"), (3, "c")]}
    assert gate.shown == judged[judge], "what is removed is not for the suite to judge"
    assert gate.columns == ["id", "v"]
    assert tidy(spark, table)


def test_the_gate_sees_the_rows_written_and_what_their_files_say(
    spark: SparkSession, table: str
) -> None:
    publish(spark, asked(table), rows(spark, *((n, "old") for n in range(50))))
    gate = Watching()
    publish(spark, asked(table, "r2"), rows(spark, (1, "new"), (99, None)), gate=gate)
    assert gate.shown == [(1, "new"), (99, None)]
    assert gate.facts is not None
    assert gate.facts.rows == 2, "rows that a merge only copied are nobody's output"
    assert (gate.facts.columns["v"].nulls, gate.facts.columns["id"].high) == (1, 99)


def test_the_gate_sees_the_table_after_the_merge_if_asked(spark: SparkSession, table: str) -> None:
    publish(spark, asked(table, merge=WHOLE), rows(spark, (1, "a"), (2, "b")))
    gate = Watching()
    done = publish(spark, asked(table, "r2", WHOLE), rows(spark, (2, "B")), gate=gate)
    assert gate.shown == [(1, "a"), (2, "B")]
    assert gate.facts is not None
    assert gate.facts.rows == 2
    assert (done.rows, done.note) == (1, "merged by id: 0 inserted, 1 updated, 0 deleted")


@pytest.mark.parametrize("merge", [ON_ID, WHOLE])
def test_a_closed_gate_changes_nothing_a_reader_can_see(
    spark: SparkSession, table: str, merge: Merge
) -> None:
    publish(spark, asked(table, merge=merge), rows(spark, (1, "a"), (2, "b")))
    history = spark.sql(f"SELECT * FROM {table}.history").collect()
    at = asked(table, "r2", merge)
    held = publish(spark, at, rows(spark, (2, "B")), gate=Verdict(CLOSED))
    assert spark.sql(f"SELECT * FROM {table}.history").collect() == history
    assert seen(spark, table) == [(1, "a"), (2, "b")]
    in_view = {"rows": [(2, "B")], "table": [(1, "a"), (2, "B")]}
    assert seen(spark, str(held.held_at)) == in_view[merge.judge]
    publish(spark, asked(table, "r2", merge, try_number=2), rows(spark, (2, "good")))
    assert seen(spark, table) == [(1, "a"), (2, "good")]
    assert tidy(spark, table)


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("merge", [ON_ID, WHOLE])
def test_an_output_without_rows_leaves_the_table_as_it_was(
    spark: SparkSession, table: str, made: bool, merge: Merge
) -> None:
    if made:
        publish(spark, asked(table, merge=merge), rows(spark, (1, "a")))
    gate = Watching()
    done = publish(spark, asked(table, "r2", merge), rows(spark), gate=gate)
    assert done.rows == 0
    assert seen(spark, table) == ([(1, "a")] if made else [])
    assert gate.shown == (seen(spark, table) if merge is WHOLE else [])
    assert tidy(spark, table)


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            [(1, "a"), (2, "b"), (2, "secret"), (2, "c"), (3, "d"), (3, "e")],
            r"5 of 6 rows share their key \(id\) with another.* one row a key.*\(2\), \(3\)",
        ),
        ([(1, "a"), (None, "b"), (None, "c")], r"2 of 3 rows have a null in their key \(id\)"),
    ],
)
def test_rows_that_have_no_key_of_their_own_are_refused_before_the_table_is_touched(
    spark: SparkSession, table: str, made: bool, given: list[Row], said: str
) -> None:
    if made:
        publish(spark, asked(table), rows(spark, (1, "old")))
    at = asked(table, "r2")
    with pytest.raises(DataError, match=said):
        publish(spark, at, rows(spark, *given))
    assert seen(spark, table) == ([(1, "old")] if made else [])
    assert Branch.of(at.key, at.attempt).name not in refs(spark, table)
    assert sidecars(spark, table) == []


def test_a_key_that_is_pii_is_not_quoted(spark: SparkSession, table: str) -> None:
    columns = "email STRING, v INT"
    twice = rows(spark, ("ann@example.com", 1), ("ann@example.com", 2), columns=columns)
    with pytest.raises(DataError, match=r"ann@example\.com") as told:
        publish(spark, asked(table, merge=Merge(keys=["email"])), twice)
    failure = diagnose(told.value, spark, None, discreet=True)
    assert "2 of 2 rows share their key (email)" in failure.message
    assert "ann@" not in str(failure)


@pytest.mark.parametrize(
    ("merge", "said"),
    [
        (Merge(keys=["id", "region"]), r"asks for the columns \['region'\]"),
        (WITH_DELETES, r"asks for the columns \['gone'\]"),
        (Merge(keys=["id"], deletes="v"), "deletes='v' is string; return a boolean"),
    ],
)
def test_an_output_without_what_the_merge_asks_for_is_refused(
    spark: SparkSession, table: str, merge: Merge, said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        publish(spark, asked(table, merge=merge), rows(spark, (1, "a")))


def test_a_new_column_is_added_with_the_publish(spark: SparkSession, table: str) -> None:
    wider = "id INT, v STRING, w DOUBLE"
    publish(spark, asked(table), rows(spark, (1, "a"), (2, "b")))
    held = rows(spark, (2, "B", 2.0), columns=wider)
    publish(spark, asked(table, "r2"), held, gate=Verdict(CLOSED))
    assert spark.table(table).columns == ["id", "v"]
    done = publish(spark, asked(table, "r3"), rows(spark, (2, "B", 2.0), columns=wider))
    assert seen(spark, table) == [(1, "a", None), (2, "B", 2.0)]
    assert "added column w" in str(done.note)
    with pytest.raises(SpecError, match=r"added \['x'\].*judge='table'"):
        more = rows(spark, (2, "B", 2.0, 1), columns=f"{wider}, x INT")
        publish(spark, asked(table, "r4", WHOLE), more)


def test_a_published_snapshot_says_by_which_keys_and_with_which_verdict(
    spark: SparkSession, table: str
) -> None:
    publish(spark, asked(table), rows(spark, (1, "a")))
    at = asked(table, "r2")
    done = publish(spark, at, rows(spark, (1, "b"), (2, "c")))
    summary = BranchedTable(spark, table).metadata().summary(int(done.version or 0))
    assert summary["tidegate.stage"] == at.key
    assert summary["tidegate.merge_keys"] == '["id"]'
    assert (summary["tidegate.verdict"], summary["tidegate.rows"]) == ("pass", "2")
    data = BranchedTable(spark, table).metadata().snapshots[int(done.version or 0)]
    below = BranchedTable(spark, table).metadata().summary(data["parent-snapshot-id"])
    assert below["tidegate.run_id"] == "r2", "what was merged says its origin too"
    kept = [key for key in dict(spark.conf.getAll) if "snapshot-property" in key]
    assert kept == []


@pytest.mark.parametrize("made", [True, False])
def test_two_runs_that_add_the_same_key_at_once_leave_it_there_once(
    spark: SparkSession, table: str, made: bool
) -> None:
    """Iceberg calls a merge that only added rows an append, which it would pick without a word."""
    if made:
        publish(spark, asked(table), rows(spark, (1, "a")))
    first, second = (stepwise(spark, asked(table, run), run) for run in ("r2", "r3"))
    for each, v in ((first, "of r2"), (second, "of r3")):
        assert each.begin() is None
        each.stage(rows(spark, (2, v), (3 if v == "of r2" else 4, v)))
    first.publish(PASS)
    second.publish(PASS)
    assert seen(spark, table)[int(made) :] == [(2, "of r3"), (3, "of r2"), (4, "of r3")]
    assert tidy(spark, table)


def test_what_was_judged_beside_other_rows_is_not_published_but_merged_anew_by_the_retry(
    spark: SparkSession, table: str
) -> None:
    publish(spark, asked(table, merge=WHOLE), rows(spark, (1, "a")))
    late = stepwise(spark, asked(table, "r2", WHOLE), "late")
    late.begin()
    late.stage(rows(spark, (2, "late")))
    publish(spark, asked(table, "r3", WHOLE), rows(spark, (2, "early"), (3, "c")))
    with pytest.raises(PublishError, match="others have published"):
        late.publish(PASS)
    assert seen(spark, table) == [(1, "a"), (2, "early"), (3, "c")]
    retry = asked(table, "r2", WHOLE, try_number=2)
    gate = Watching()
    done = publish(spark, retry, rows(spark, (2, "late")), "late", gate)
    assert gate.shown == seen(spark, table) == [(1, "a"), (2, "late"), (3, "c")]
    assert "merged by id" in str(done.note)
    assert tidy(spark, table)


def test_a_rollback_meanwhile_is_not_undone(spark: SparkSession, table: str) -> None:
    good = publish(spark, asked(table), rows(spark, (1, "a"))).version
    publish(spark, asked(table, "bad"), rows(spark, (1, "bad"), (9, "bad")))
    target = stepwise(spark, asked(table, "r2"))
    target.begin()
    target.stage(rows(spark, (2, "b")))
    spark.sql(f"CALL lake.system.rollback_to_snapshot('{table.partition('.')[2]}', {good})")
    target.publish(PASS)
    assert seen(spark, table) == [(1, "a"), (2, "b")]


def test_others_that_always_publish_first_leave_it_to_the_retry(
    spark: SparkSession, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(spark, asked(table), rows(spark, (1, "a")))
    rivals = (f"rival{number}" for number in count())
    merge = merged.merge_on_branch

    def then_a_rival(aside: Any) -> Any:
        written = merge(aside)
        monkeypatch.setattr(merged, "merge_on_branch", merge)
        name = next(rivals)
        publish(spark, asked(table, name), rows(spark, (100, name)))
        monkeypatch.setattr(merged, "merge_on_branch", then_a_rival)
        return written

    monkeypatch.setattr(merged, "merge_on_branch", then_a_rival)
    with pytest.raises(PublishError, match="others have published"):
        publish(spark, asked(table, "r2"), rows(spark, (2, "b")), "same")
    monkeypatch.setattr(merged, "merge_on_branch", merge)
    last = next(rivals).removeprefix("rival")
    assert seen(spark, table) == [(1, "a"), (100, f"rival{int(last) - 1}")]
    publish(spark, asked(table, "r2", try_number=2), rows(spark, (2, "b")), "same")
    assert [row[0] for row in seen(spark, table)] == [1, 100, 2]
    assert tidy(spark, table)


@pytest.mark.parametrize(
    ("newer_ends", "asleep_before", "merge"), thinned(product(ENDS, MOMENTS, (ON_ID, WHOLE)), 8)
)
def test_an_older_attempt_is_fenced_at_whatever_point_it_wakes_up(
    spark: SparkSession, table: str, asleep_before: str, newer_ends: str, merge: Merge
) -> None:
    publish(spark, asked(table, merge=merge), rows(spark, (1, "a")))
    zombie = stepwise(spark, asked(table, "r2", merge, try_number=1), "f")
    newer = stepwise(spark, asked(table, "r2", merge, try_number=2), "g")
    data = (rows(spark, (1, "zombie"), (2, "zombie")), rows(spark, (1, "newer")))
    wake_up_late(zombie, newer, asleep_before, newer_ends, data, lambda: seen(spark, table))
    if newer_ends == "running":
        newer.publish(PASS)
        assert seen(spark, table) == [(1, "newer")]
        assert tidy(spark, table)


@pytest.mark.parametrize("merge", [ON_ID, WHOLE])
def test_a_retry_publishes_what_was_judged_without_doing_the_work_again(
    spark: SparkSession, table: str, merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(spark, asked(table, merge=merge), rows(spark, (1, "a"), (2, "b")))
    first = stepwise(spark, asked(table, "r2", merge), "same")
    first.begin()
    first.stage(rows(spark, (2, "B")))

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(BranchedTable, "publish", killed)
        first.publish(PASS)
    assert seen(spark, table) == [(1, "a"), (2, "b")]
    done = stepwise(spark, asked(table, "r2", merge, try_number=2), "same").begin()
    assert done is not None
    assert "judged by try 1" in str(done.note)
    assert done.rows == 1, "the rows of the output, not those that the merge copied"
    assert seen(spark, table) == [(1, "a"), (2, "B")]
    assert tidy(spark, table)


def test_a_retry_whose_report_alone_was_lost_finds_the_merge_published(
    spark: SparkSession, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(spark, asked(table), rows(spark, (1, "a")))
    first = stepwise(spark, asked(table, "r2"), "same")
    first.begin()
    first.stage(rows(spark, (2, "b")))

    def killed(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr("tidegate.driver.targets.table.writes.Place.drop_sidecar", killed)
        first.publish(PASS)
    assert sidecars(spark, table) != []
    publish(spark, asked(table, "r3"), rows(spark, (2, "newer")))
    done = stepwise(spark, asked(table, "r2", try_number=2), "same").begin()
    assert done is not None
    assert "already published by try 1" in str(done.note)
    assert seen(spark, table) == [(1, "a"), (2, "newer")], "the older rows do not come back"
    assert tidy(spark, table)


def test_a_fenced_attempt_that_ends_takes_nothing_of_the_newer_with_it(
    spark: SparkSession, table: str
) -> None:
    publish(spark, asked(table), rows(spark, (1, "a")))
    zombie = stepwise(spark, asked(table, "r2", try_number=1), "f")
    newer = stepwise(spark, asked(table, "r2", try_number=2), "f")
    zombie.begin()
    zombie.stage(rows(spark, (2, "zombie")))
    newer.begin()
    newer.stage(rows(spark, (2, "newer")))
    zombie.discard()
    newer.publish(PASS)
    assert seen(spark, table) == [(1, "a"), (2, "newer")]
    assert tidy(spark, table)


def test_three_merges_that_commit_at_once_lose_no_row(spark: SparkSession, table: str) -> None:
    """Each is made anew on what the others published, or says that its retry has to do so."""
    publish(spark, asked(table), rows(spark, (0, "first")))
    targets = [stepwise(spark, asked(table, f"run{n}"), f"run{n}") for n in range(1, 4)]
    for number, target in enumerate(targets, start=1):
        assert target.begin() is None
        target.stage(rows(spark, (number, f"run{number}")))

    def try_to(target: Stepwise) -> bool:
        try:
            target.publish(PASS)
        except PublishError:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(try_to, targets))
    expected = {0} | {number for number, ok in enumerate(done, start=1) if ok}
    assert {row[0] for row in seen(spark, table)} == expected
    assert len(seen(spark, table)) == len(expected)
    assert any(done)
