"""Publishing to Iceberg: what readers see, before and after, whoever interferes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import sleep
from typing import Any

import pytest
from pyarrow import RecordBatch
from pyspark.sql import DataFrame, SparkSession
from specs import CLOSED, PASS, STEPS, Stepwise, Verdict, spec, wake_up_late

from tidegate.contract import Judgement, Output, StageSpec
from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.settle import settle
from tidegate.driver.targets.table import TableTarget
from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.fence import Fence
from tidegate.driver.targets.table.metadata import Branch, Metadata
from tidegate.errors import JobError, PublishError, SpecError

_names = (f"lake.db.t{number}" for number in count())
DAY, NEXT = {"ds": "2013-01-01"}, {"ds": "2013-01-02"}


@pytest.fixture
def table() -> str:
    return next(_names)


def frame(spark: SparkSession, rows: int, **columns: str) -> DataFrame:
    return spark.range(rows).selectExpr(
        "id", *(f"{sql} AS {name}" for name, sql in columns.items())
    )


def stepwise(spark: SparkSession, at: StageSpec, fingerprint: str) -> Stepwise:
    return Stepwise(TableTarget(spark, at, fingerprint))


def publish(
    spark: SparkSession, at: StageSpec, data: DataFrame, fingerprint: str | None = None
) -> Output:
    begun = TableTarget(spark, at, fingerprint or str(at.attempt)).begin()
    return begun if isinstance(begun, Output) else settle(begun, data, Verdict()).output


def seen(spark: SparkSession, table: str) -> list[tuple[Any, ...]]:
    spark.catalog.refreshTable(table)
    return sorted(tuple(row) for row in spark.table(table).collect())


def refs(spark: SparkSession, table: str) -> set[str]:
    return {row.name for row in spark.sql(f"SELECT name FROM {table}.refs").collect()}


def test_a_first_publish_creates_the_table_and_leaves_only_main(
    spark: SparkSession, table: str
) -> None:
    done = publish(spark, spec(table, partition=DAY), frame(spark, 3, v="id * 2"))
    assert seen(spark, table) == [(0, 0, "2013-01-01"), (1, 2, "2013-01-01"), (2, 4, "2013-01-01")]
    assert refs(spark, table) == {"main"}
    assert (done.rows, done.previous) == (3, None)


def test_the_same_date_twice_gives_the_same_table_and_another_leaves_it_alone(
    spark: SparkSession, table: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 3))
    publish(spark, spec(table, partition=NEXT, run_id="r2"), frame(spark, 2))
    before = seen(spark, table)
    publish(spark, spec(table, partition=DAY, run_id="again"), frame(spark, 3))
    assert seen(spark, table) == before
    assert len(before) == 5


def test_an_empty_output_empties_its_partition_only(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 3))
    publish(spark, spec(table, partition=NEXT, run_id="r2"), frame(spark, 2))
    done = publish(spark, spec(table, partition=DAY, run_id="r3"), frame(spark, 0))
    assert [row[1] for row in seen(spark, table)] == ["2013-01-02"] * 2
    assert done.rows == 0


def test_an_empty_first_output_publishes_an_empty_table(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 0))
    assert seen(spark, table) == []
    assert refs(spark, table) == {"main"}


def test_without_a_partition_the_table_is_replaced(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table), frame(spark, 3))
    publish(spark, spec(table, run_id="r2"), frame(spark, 2))
    assert len(seen(spark, table)) == 2
    publish(spark, spec(table, run_id="r3"), frame(spark, 0))
    assert seen(spark, table) == []


def test_a_published_snapshot_says_who_what_and_with_which_verdict(
    spark: SparkSession, table: str
) -> None:
    at = spec(table, partition=DAY)
    done = publish(spark, at, frame(spark, 1))
    row = spark.sql(
        f"SELECT summary FROM {table}.snapshots WHERE snapshot_id = {done.version}"
    ).first()
    assert row is not None
    assert row.summary["tidegate.stage"] == at.key
    assert row.summary["tidegate.run_id"] == "r1"
    assert row.summary["tidegate.try"] == "1"
    assert row.summary["tidegate.suite"] == "s"
    assert row.summary["tidegate.suite_sha256"] == at.suite.sha256
    assert row.summary["tidegate.verdict"] == "pass"


def test_a_closed_gate_changes_nothing_a_reader_can_see(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 3))
    before = (
        spark.sql(f"SELECT * FROM {table}.history").collect(),
        seen(spark, table),
        spark.table(table).schema,
    )
    target = stepwise(spark, spec(table, partition=DAY, run_id="r2"), "f2")
    assert target.begin() is None
    target.stage(frame(spark, 9, extra="'new column'"))
    held = target.hold(CLOSED)
    assert (
        spark.sql(f"SELECT * FROM {table}.history").collect(),
        seen(spark, table),
        spark.table(table).schema,
    ) == before
    assert spark.table(str(held.held_at)).count() == 9


def test_held_rows_can_be_read_where_the_report_says(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 3))
    target = stepwise(spark, spec(table, partition=DAY, run_id="r2"), "f2")
    target.begin()
    target.stage(frame(spark, 5))
    held = target.hold(CLOSED)
    assert spark.table(str(held.held_at)).count() == 5
    assert len(seen(spark, table)) == 3
    publish(spark, spec(table, partition=DAY, run_id="r3"), frame(spark, 4))
    assert refs(spark, table) == {"main"}


def test_two_dates_that_run_at_once_both_reach_readers(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 1))
    first = stepwise(spark, spec(table, partition=NEXT, run_id="r2"), "f2")
    second = stepwise(spark, spec(table, partition={"ds": "2013-01-03"}, run_id="r3"), "f3")
    for target, rows in ((first, 2), (second, 3)):
        assert target.begin() is None
        target.stage(frame(spark, rows))
    first.publish(PASS)
    done = second.publish(PASS)
    assert len(seen(spark, table)) == 6
    assert refs(spark, table) == {"main"}
    summary = spark.sql(
        f"SELECT summary FROM {table}.snapshots WHERE snapshot_id = {done.version}"
    ).first()
    assert summary is not None
    assert summary.summary["tidegate.verdict"] == "pass"


def test_eight_attempts_that_commit_at_once_are_nobodys_conflict(
    spark: SparkSession, table: str
) -> None:
    """Each commit comes second most of the time, and is made anew."""
    publish(spark, spec(table, partition=NEXT), frame(spark, 1))
    days = [{"ds": f"2014-01-0{day}"} for day in range(1, 9)]
    attempts = [stepwise(spark, spec(table, partition=day), str(day)) for day in days]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(Stepwise.begin, attempts)) == [None] * 8
        for each in attempts:
            each.stage(frame(spark, 2))
        assert [done.rows for done in pool.map(lambda each: each.publish(PASS), attempts)] == [
            2
        ] * 8
    assert len(seen(spark, table)) == 17
    assert refs(spark, table) == {"main"}


def test_whole_table_replaced_by_somebody_else_meanwhile_is_a_publish_error(
    spark: SparkSession, table: str
) -> None:
    publish(spark, spec(table), frame(spark, 1))
    target = stepwise(spark, spec(table, run_id="r2", task_id="other"), "f2")
    target.begin()
    target.stage(frame(spark, 2))
    publish(spark, spec(table, run_id="r3"), frame(spark, 5))
    with pytest.raises(PublishError, match="could not be moved"):
        target.publish(PASS)
    assert len(seen(spark, table)) == 5


@pytest.mark.parametrize("shape", [{"partition": DAY}, {}, {"mode": "append"}])
def test_a_rollback_meanwhile_is_not_undone_by_the_publish(
    spark: SparkSession, table: str, shape: dict[str, Any]
) -> None:
    good = publish(spark, spec(table, partition=NEXT), frame(spark, 1)).version
    publish(spark, spec(table, partition={"ds": "2013-01-03"}, run_id="bad"), frame(spark, 9))
    target = stepwise(spark, spec(table, run_id="r2", task_id="other", **shape), "f2")
    target.begin()
    target.stage(frame(spark, 2, ds="'2013-01-01'"))
    spark.sql(f"CALL lake.system.rollback_to_snapshot('{table.partition('.')[2]}', {good})")
    if "mode" in shape:
        target.publish(PASS)
        assert len(seen(spark, table)) == 3
        return
    with pytest.raises(PublishError, match="could not be moved"):
        target.publish(PASS)
    assert seen(spark, table) == [(0, "2013-01-02")]
    retry = spec(table, run_id="r2", task_id="other", try_number=2, **shape)
    done = publish(spark, retry, frame(spark, 2, ds="'2013-01-01'"), "f2")
    assert done.note is None, "what was judged beside the bad rows is not resumed"
    assert len(seen(spark, table)) == (3 if shape else 2)


@pytest.mark.parametrize("dropped_before", ["stage", "publish"])
def test_a_table_dropped_meanwhile_is_a_publish_error_and_the_retry_makes_it_anew(
    spark: SparkSession, table: str, dropped_before: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 1))
    target = stepwise(spark, spec(table, partition=DAY, run_id="r2"), "f2")
    target.begin()
    if dropped_before == "publish":
        target.stage(frame(spark, 2))
    spark.sql(f"DROP TABLE {table}")
    with pytest.raises(PublishError, match="was dropped while"):
        STEPS[dropped_before](target, frame(spark, 2))
    publish(spark, spec(table, partition=DAY, run_id="r2", try_number=2), frame(spark, 2), "f2")
    assert len(seen(spark, table)) == 2
    assert refs(spark, table) == {"main"}


@pytest.mark.parametrize("left", ["refs", "judged", "published", "held"])
@pytest.mark.parametrize("made", [True, False])
def test_a_retry_comes_behind_its_earlier_try_whatever_the_clock_says(
    spark: SparkSession, table: str, left: str, made: bool
) -> None:
    if made:
        publish(spark, spec(table, partition=NEXT), frame(spark, 1))
    noon = 1_750_000_000_000
    at = spec(table, partition=DAY, run_id="r2", submitted_ms=noon)
    first = stepwise(spark, at, "same")
    first.begin()
    first.stage(frame(spark, 2))
    if left == "judged":
        judged = Provenance.of(at, "same").judged("pass").as_summary()
        BranchedTable(spark, table).label(Branch.of(at.key, at.attempt), judged)
    elif left == "published":
        first.publish(PASS)
    elif left == "held":
        first.hold(CLOSED)
    an_hour_before = {"try_number": 2, "submitted_ms": noon - 3_600_000}
    again = spec(table, partition=DAY, run_id="r2", **an_hour_before)
    done = publish(spark, again, frame(spark, 2), "same")
    assert (done.note is not None) == (left in ("judged", "published"))
    assert len(seen(spark, table)) == (3 if made else 2)
    assert refs(spark, table) == {"main"}
    if left == "refs":
        with pytest.raises(PublishError, match="fenced off"):
            first.publish(PASS)
    earlier_run = spec(table, partition=DAY, run_id="r1", submitted_ms=noon - 1)
    with pytest.raises(PublishError, match="fenced off"):
        publish(spark, earlier_run, frame(spark, 5))


@pytest.mark.parametrize("asleep_before", ["begin", "stage", "publish"])
@pytest.mark.parametrize("newer_ends", ["published", "held", "failed", "running"])
def test_an_older_attempt_is_fenced_at_whatever_point_it_wakes_up(
    spark: SparkSession, table: str, asleep_before: str, newer_ends: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 1))
    zombie = stepwise(spark, spec(table, partition=DAY, run_id="r2", try_number=1), "f")
    newer = stepwise(spark, spec(table, partition=DAY, run_id="r2", try_number=2), "g")
    data = (frame(spark, 7), frame(spark, 2))
    wake_up_late(zombie, newer, asleep_before, newer_ends, data, lambda: seen(spark, table))
    if newer_ends == "running":
        newer.publish(PASS)
        assert len(seen(spark, table)) == 2


def test_a_write_under_way_when_the_fence_rises_still_cannot_publish(
    spark: SparkSession, table: str
) -> None:
    """Iceberg recreates the removed data branch when that write commits; the token stays gone."""
    publish(spark, spec(table, partition=DAY), frame(spark, 1))
    asleep = spec(table, partition=DAY, run_id="r2", try_number=1)
    zombie = stepwise(spark, asleep, "f")
    newer = stepwise(spark, spec(table, partition=DAY, run_id="r2", try_number=2), "g")
    zombie.begin()

    def slowly(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        sleep(4)
        yield from batches

    slow = frame(spark, 7).mapInArrow(slowly, "id BIGINT")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(zombie.stage, slow)
        while not spark.sparkContext.statusTracker().getActiveStageIds():
            sleep(0.1)
        assert newer.begin() is None
        writing.result()
    assert Branch.of(asleep.key, asleep.attempt).name in refs(spark, table)
    with pytest.raises(PublishError, match="fenced off"):
        zombie.publish(PASS)
    assert Branch.of(asleep.key, asleep.attempt).name not in refs(spark, table)
    newer.stage(frame(spark, 2))
    newer.publish(PASS)
    assert len(seen(spark, table)) == 2
    assert refs(spark, table) == {"main"}


def test_a_retry_publishes_what_was_judged_without_doing_the_work_again(
    spark: SparkSession, table: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 1))
    killed = spec(table, partition=DAY, run_id="r2", try_number=1)
    first = stepwise(spark, killed, "same")
    first.begin()
    first.stage(frame(spark, 4))
    judged = Provenance.of(killed, "same").judged("pass")
    branch = Branch.of(killed.key, killed.attempt)
    BranchedTable(spark, table).label(branch, judged.as_summary())  # killed right here
    retry = stepwise(spark, spec(table, partition=DAY, run_id="r2", try_number=2), "same")
    done = retry.begin()
    assert done is not None
    assert "judged by try 1" in str(done.note)
    assert len(seen(spark, table)) == 4
    assert refs(spark, table) == {"main"}


@pytest.mark.parametrize("fingerprint", ["other", "same"])
def test_a_retry_whose_report_alone_was_lost_does_not_publish_twice(
    spark: SparkSession, table: str, fingerprint: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 3), fingerprint="same")
    snapshots = spark.sql(f"SELECT * FROM {table}.history").count()
    publish(
        spark, spec(table, partition=DAY, try_number=2), frame(spark, 3), fingerprint=fingerprint
    )
    again = spark.sql(f"SELECT * FROM {table}.history").count()
    assert (again == snapshots) == (fingerprint == "same")
    assert len(seen(spark, table)) == 3


def test_an_append_is_exactly_once_per_run(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, mode="append"), frame(spark, 3), fingerprint="a")
    publish(spark, spec(table, mode="append", run_id="r2"), frame(spark, 2), fingerprint="b")
    assert len(seen(spark, table)) == 5
    retried = publish(
        spark,
        spec(table, mode="append", run_id="r2", try_number=2),
        frame(spark, 2),
        fingerprint="b",
    )
    assert "already published" in str(retried.note)
    with pytest.raises(SpecError, match="already appended"):
        publish(
            spark,
            spec(table, mode="append", run_id="r2", try_number=3),
            frame(spark, 9),
            fingerprint="c",
        )
    assert len(seen(spark, table)) == 5


@pytest.mark.parametrize("made", [True, False])
def test_an_append_published_while_the_fence_rises_is_not_appended_again(
    spark: SparkSession, table: str, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    if made:
        publish(spark, spec(table, mode="append"), frame(spark, 3), fingerprint="a")
    of_the_run = {"mode": "append", "run_id": "r2"}
    zombie = stepwise(spark, spec(table, try_number=1, **of_the_run), "b")
    retry = stepwise(spark, spec(table, try_number=2, **of_the_run), "b")
    raise_fence = Fence.raise_

    def just_before(fence: Fence) -> Metadata:
        monkeypatch.setattr(Fence, "raise_", raise_fence)
        zombie.begin()
        zombie.stage(frame(spark, 2))
        zombie.publish(PASS)
        return raise_fence(fence)

    monkeypatch.setattr(Fence, "raise_", just_before)
    with pytest.raises(PublishError, match="published while"):
        retry.begin()
        retry.stage(frame(spark, 2))
        retry.publish(PASS)
    assert refs(spark, table) == {"main"}
    again = publish(spark, spec(table, try_number=3, **of_the_run), frame(spark, 2), "b")
    assert "already published by try 1" in str(again.note)
    assert len(seen(spark, table)) == (5 if made else 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"mode": "append"}, {"mode": "append"}),
        ({"partition": DAY}, {"partition": NEXT}),
        ({"partition": DAY}, {"partition": DAY}),
        ({}, {}),
    ],
)
def test_what_a_gate_reads_back_is_what_this_attempt_wrote(
    spark: SparkSession, table: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    publish(spark, spec(table, **first), frame(spark, 3), fingerprint="a")
    target = stepwise(spark, spec(table, run_id="r2", **second), "b")
    target.begin()
    staged = target.stage(frame(spark, 2))
    assert (staged.rows, staged.frame.count()) == (2, 2)


def test_a_column_added_by_the_job_evolves_the_table(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 2))
    done = publish(spark, spec(table, partition=NEXT, run_id="r2"), frame(spark, 1, extra="'x'"))
    assert seen(spark, table) == [
        (0, "2013-01-01", None),
        (0, "2013-01-02", "x"),
        (1, "2013-01-01", None),
    ]
    assert "extra" in str(done.note)
    assert refs(spark, table) == {"main"}
    assert not [
        t
        for t in spark.catalog.listTables("lake.db")
        if t.name.startswith(table.rpartition(".")[2] + "__")
    ]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "dropped"),
        ({"v": "'text'"}, "retyped"),
        ({"v": "CAST(id AS DOUBLE)"}, "retyped"),
    ],
)
def test_a_column_dropped_or_retyped_is_refused_and_nothing_written(
    spark: SparkSession, table: str, columns: dict[str, str], said: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 2, v="id"))
    before = spark.sql(f"SELECT * FROM {table}.snapshots").collect()
    with pytest.raises(SpecError, match=said):
        publish(spark, spec(table, partition=DAY, run_id="r2"), frame(spark, 2, **columns))
    assert spark.sql(f"SELECT * FROM {table}.snapshots").collect() == before


def test_a_narrower_number_widens_into_the_table(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table), frame(spark, 2, v="id"))
    publish(spark, spec(table, run_id="r2"), frame(spark, 2, v="CAST(id AS INT)"))
    assert seen(spark, table) == [(0, 0), (1, 1)]


def test_a_row_of_another_partition_never_reaches_its_table(
    spark: SparkSession, table: str
) -> None:
    publish(spark, spec(table, partition=DAY), frame(spark, 2))
    publish(spark, spec(table, partition=NEXT, run_id="r2"), frame(spark, 2))
    before = seen(spark, table)
    with pytest.raises(JobError, match="ds=2013-01-02"):
        publish(spark, spec(table, partition=DAY, run_id="r3"), frame(spark, 1, ds="'2013-01-02'"))
    assert seen(spark, table) == before


def test_a_table_partitioned_in_another_way_is_refused(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table), frame(spark, 2, ds="'2013-01-01'"))
    with pytest.raises(SpecError, match="partitioned by nothing"):
        publish(spark, spec(table, partition=DAY, run_id="r2"), frame(spark, 1))


def test_an_unknown_catalog_is_a_clear_error(spark: SparkSession) -> None:
    with pytest.raises(SpecError, match="no Iceberg catalog 'sea'"):
        stepwise(spark, spec("sea.db.t"), "f")


def test_output_that_is_no_frame_is_a_clear_error(spark: SparkSession, table: str) -> None:
    target = stepwise(spark, spec(table), "f")
    target.begin()
    with pytest.raises(SpecError, match="returned int; return a pyspark DataFrame"):
        target.stage(3)


class Broken(Verdict):
    """A gate that cannot judge."""

    def judge(self, staged: DataFrame, rows: int | None = None) -> Judgement:
        raise RuntimeError("no verdict")


@pytest.mark.parametrize("exists", [True, False])
def test_what_has_no_verdict_leaves_no_branch_but_the_fence(
    spark: SparkSession, table: str, exists: bool
) -> None:
    if exists:
        publish(spark, spec(table), frame(spark, 2))
    at = spec(table, run_id="r2")
    begun = TableTarget(spark, at, "f").begin()
    assert not isinstance(begun, Output)
    with pytest.raises(RuntimeError, match="no verdict"):
        settle(begun, frame(spark, 3), Broken())
    branch = Branch.of(at.key, at.attempt)
    assert branch.name not in refs(spark, table)
    assert branch.token in refs(spark, table)
    assert len(seen(spark, table)) == (2 if exists else 0)


def test_a_closed_verdict_is_held_and_a_passing_one_published(
    spark: SparkSession, table: str
) -> None:
    publish(spark, spec(table), frame(spark, 2))
    for judgement, outcome, rows in ((CLOSED, "held", 2), (PASS, "published", 3)):
        begun = TableTarget(spark, spec(table, run_id=outcome), outcome).begin()
        assert not isinstance(begun, Output)
        settled = settle(begun, frame(spark, 3), Verdict(judgement))
        assert (settled.outcome, settled.judgement) == (outcome, judgement)
        assert len(seen(spark, table)) == rows


def rehearse(spark: SparkSession, table: str, rows: int, **overrides: Any) -> Output:
    """Take a stage to its verdict, and no further."""
    at = spec(table, publish=False, run_id="terminal", **overrides)
    begun = TableTarget(spark, at, f"only judged {at.attempt.submitted_ms}").begin()
    assert not isinstance(begun, Output)
    settled = settle(begun, frame(spark, rows), Verdict(), publish=False)
    assert settled.outcome == "passed"
    return settled.output


def test_what_is_only_judged_stays_aside_and_fences_nobody_off(
    spark: SparkSession, table: str
) -> None:
    under_way = stepwise(spark, spec(table, run_id="r0"), "work")
    assert under_way.begin() is None
    under_way.stage(frame(spark, 3))
    aside = rehearse(spark, table, 5)
    assert spark.table(table).count() == 0
    assert spark.table(str(aside.held_at)).count() == 5
    assert "not published, as asked" in str(aside.note)
    assert aside.held_at in str(aside.note)
    assert under_way.publish(PASS).rows == 3, "a run that is under way publishes all the same"
    again = rehearse(spark, table, 7)
    assert spark.table(str(again.held_at)).count() == 7
    assert spark.table(table).count() == 3
    refs = [row.name for row in spark.table(f"{table}.refs").select("name").collect()]
    assert len(refs) == 3, "the older one that was only judged is gone"
    real = stepwise(spark, spec(table, run_id="r1"), "more work")
    assert real.begin() is None
    real.stage(frame(spark, 4))
    assert real.publish(PASS).rows == 4
    assert spark.table(table).count() == 4


def test_what_is_only_judged_names_its_work_anew_each_time(spark: SparkSession) -> None:
    from tidegate.driver.attempt import fingerprint
    from tidegate.driver.inputs import Opened
    from tidegate.driver.kinds import Loaded

    opened = Opened(offered={}, inputs=(), states=())
    job = Loaded(lambda *_: None)
    judged = spec("lake.db.t", publish=False)
    published = spec("lake.db.t")
    assert fingerprint(judged, opened, job) != fingerprint(judged, opened, job)
    assert fingerprint(published, opened, job) == fingerprint(published, opened, job)
