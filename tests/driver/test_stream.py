"""A stream of files: every row on main once, judged, whatever becomes of driver and checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from streams import POSITIVE, StreamBench

from tidegate.contract import Stream
from tidegate.driver.__main__ import FAILED, HELD
from tidegate.driver.stream import batches
from tidegate.driver.targets.table.forward import StreamedTable
from tidegate.driver.targets.table.stream import StreamTable
from tidegate.errors import SpecError

TWICE = "def run(events):\n    return events.selectExpr('*', 'id * 2 AS twice')\n"


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> StreamBench:
    return StreamBench(spark, tmp_path)


def test_each_run_publishes_what_has_arrived_since_the_last(bench: StreamBench) -> None:
    bench.land(1, 2)
    bench.land(3)
    code, report = bench.run(max_per_batch=1)
    assert (code, report.outcome, report.verdict) == (0, "published", "pass")
    assert bench.ids() == [1, 2, 3]
    assert report.flow is not None
    assert (report.flow.batches, report.flow.rows) == (2, 3)
    assert report.output is not None
    assert (report.output.rows, report.output.previous) == (3, None)
    bench.land(4)
    code, report = bench.run(run_id="r2")
    assert (code, bench.ids()) == (0, [1, 2, 3, 4])
    assert bench.numbers() == [0, 1, 2]
    assert set(bench.metadata().refs) == {"main"}


def test_a_run_that_finds_nothing_new_publishes_nothing(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    before = bench.metadata().refs
    code, report = bench.run(run_id="r2")
    assert (code, report.outcome) == (0, "published")
    assert report.output is not None
    assert (report.output.rows, report.output.version) == (0, before["main"])
    assert bench.metadata().refs == before


def test_main_says_of_each_batch_which_it_is_and_where_it_ends(bench: StreamBench) -> None:
    bench.land(1)
    _, report = bench.run()
    now = bench.metadata()
    summary = now.summary(now.refs["main"])
    assert report.flow is not None
    assert summary["tidegate.stream"] == report.flow.query
    assert summary["tidegate.batch"] == "0"
    assert json.loads(summary["tidegate.offsets_to"]) == ['{"logOffset":0}']
    assert summary["tidegate.verdict"] == "pass"


def test_a_closed_gate_ends_the_stream_and_the_next_run_goes_on_there(bench: StreamBench) -> None:
    bench.land(1)
    bench.land(2, v=-5.0)
    bench.land(3)
    code, report = bench.run(max_per_batch=1)
    assert (code, report.outcome, report.verdict) == (HELD, "held", "closed")
    assert bench.ids() == [1]
    assert report.flow is not None
    assert report.flow.last[-1].verdict == "closed"
    assert report.output is not None
    assert report.output.held_at
    assert bench.spark.table(report.output.held_at).count() == 2
    # The very batch is judged anew, and once the suite lets it through the stream catches up.
    code, report = bench.run(run_id="r2", max_per_batch=1)
    assert (code, bench.ids()) == (HELD, [1])
    code, report = bench.run(run_id="r3", max_per_batch=1, expectations=[])
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2, 3], [0, 1, 2])
    assert set(bench.metadata().refs) == {"main"}


def test_the_suite_is_planned_once_a_stream(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.driver.gate import suite_gate

    planned: list[Any] = []
    plan = suite_gate.plan
    monkeypatch.setattr(suite_gate, "plan", lambda *args: planned.append(1) or plan(*args))
    for number in range(3):
        bench.land(number)
    _, report = bench.run(max_per_batch=1)
    assert report.flow is not None
    assert (report.flow.batches, len(planned)) == (3, 1)


def test_a_batch_that_main_has_and_spark_has_not_noted_is_skipped(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    (bench.checkpoint() / "commits" / "0").unlink()
    (bench.checkpoint() / "commits" / ".0.crc").unlink()
    bench.land(2)
    code, report = bench.run(run_id="r2")
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2], [0, 1])
    assert report.flow is not None
    assert report.flow.skipped == 1


def test_a_batch_that_failed_before_its_publish_is_published_by_the_next_try(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    with monkeypatch.context() as broken:
        broken.setattr(StreamedTable, "forward", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        code, report = bench.run(run_id="r2")
    assert (code, bench.ids()) == (FAILED, [1])
    assert report.flow is not None
    code, report = bench.run(run_id="r2", try_number=2)
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2], [0, 1])


@pytest.mark.parametrize("runs", [1, 2])
def test_a_lost_checkpoint_is_made_anew_from_main(bench: StreamBench, runs: int) -> None:
    expected = []
    for number in range(runs):
        bench.land(number)
        bench.run(run_id=f"r{number}")
        expected.append(number)
    bench.lose_checkpoint()
    bench.land(10)
    code, report = bench.run(run_id="last")
    assert (code, bench.ids()) == (0, [*expected, 10])
    assert bench.numbers() == list(range(runs + 1))
    assert report.flow is not None
    assert report.flow.rebuilt == "there is none"
    assert "made anew from the offsets on main" in bench.told()


def test_a_damaged_checkpoint_is_kept_aside_and_made_anew(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    (bench.checkpoint() / "offsets" / "0").write_text("")
    (bench.checkpoint() / "offsets" / ".0.crc").unlink()
    bench.land(2)
    code, report = bench.run(run_id="r2")
    assert (code, bench.ids()) == (0, [1, 2])
    assert report.flow is not None
    assert report.flow.rebuilt == "its offsets of micro-batch 0 are damaged"


def test_main_rolled_back_by_hand_is_the_truth(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    first = bench.metadata().refs["main"]
    bench.land(2)
    bench.run(run_id="r2")
    bench.spark.sql(f"CALL lake.system.rollback_to_snapshot('{bench.table}', {first})")
    assert bench.ids() == [1]
    code, report = bench.run(run_id="r3")
    assert (code, bench.ids()) == (0, [1, 2])
    assert report.flow is not None
    assert "rolled back" in str(report.flow.rebuilt)


def test_expired_snapshots_take_no_offsets_with_them(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    bench.run(run_id="r2")
    # Somebody else's commit on top, and every snapshot of the stream's expired.
    bench.spark.sql(f"INSERT INTO {bench.table} VALUES (99, 1.0)")
    bench.expire()
    bench.lose_checkpoint()
    bench.land(3)
    code, _ = bench.run(run_id="r3")
    assert (code, bench.ids()) == (0, [1, 2, 3, 99])


def test_rows_that_others_add_meanwhile_stay(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    bench.spark.sql(f"INSERT INTO {bench.table} VALUES (99, 1.0)")
    bench.land(2)
    code, _ = bench.run(run_id="r2")
    assert (code, bench.ids()) == (0, [1, 2, 99])


def test_a_new_column_comes_with_a_judged_batch(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    bench.land(3)
    code, _ = bench.run(run_id="r2", job=TWICE, max_per_batch=1)
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2, 3], [0, 1, 2])
    rows = bench.spark.table(bench.table).orderBy("id").collect()
    assert [row.twice for row in rows] == [None, 4, 6]
    assert set(bench.metadata().refs) == {"main"}


def test_a_new_column_leaves_its_offsets_when_all_snapshots_expire(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    bench.run(run_id="r2", job=TWICE)
    bench.spark.sql(f"INSERT INTO {bench.table} VALUES (99, 1.0, 198)")
    bench.expire()
    bench.lose_checkpoint()
    bench.land(3)
    code, _ = bench.run(run_id="r3", job=TWICE)
    assert (code, bench.ids()) == (0, [1, 2, 3, 99])


def test_an_older_attempt_that_wakes_up_publishes_nothing(bench: StreamBench) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    older = bench.spec(run_id="old")
    code, _ = bench.run(run_id="new")
    assert (code, bench.ids()) == (0, [1, 2])
    bench.land(3)
    code, report = bench.run(run_id="old", submitted_ms=older.attempt.submitted_ms)
    assert (code, bench.ids()) == (FAILED, [1, 2])
    assert report.failure is not None
    assert report.failure.type == "PublishError"


def test_a_newer_attempt_takes_over_in_the_middle_of_a_batch(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.land(1)
    bench.run()
    bench.land(2)
    newer = bench.spec(run_id="newer")
    settle = batches.settle

    def overtaken(*args: Any) -> Any:
        StreamTable(bench.spark, newer, "work").begin(bench.spark.table(bench.table))
        return settle(*args)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(batches, "settle", overtaken)
        older = newer.attempt.submitted_ms - 1
        code, report = bench.run(run_id="older", submitted_ms=older)
    assert (code, bench.ids()) == (FAILED, [1])
    assert report.failure is not None
    assert "fenced off" in report.failure.message
    code, report = bench.run(run_id="newer", try_number=2)
    assert (code, bench.ids()) == (0, [1, 2])
    assert set(bench.metadata().refs) == {"main"}


def test_an_interval_ends_after_its_time_and_the_next_run_goes_on(bench: StreamBench) -> None:
    bench.land(1)
    code, _ = bench.run(trigger="1 second", run_for="4 seconds")
    assert (code, bench.ids()) == (0, [1])
    bench.land(2)
    code, _ = bench.run(trigger="1 second", run_for="4 seconds", run_id="r2")
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2], [0, 1])


def test_other_inputs_are_read_once_an_attempt(bench: StreamBench) -> None:
    bench.land(1, 2)
    names = bench.folder / "names.csv"
    names.write_text("id,name\n1,one\n2,two\n")
    job = "def run(events, names):\n    return events.join(names, 'id').select('id', 'v', 'name')\n"
    reads = {"names": {"path": str(names), "schema": "id INT, name STRING"}}
    code, report = bench.run(job=job, reads=reads)
    assert (code, bench.ids()) == (0, [1, 2])
    assert [each.name for each in report.inputs] == ["events", "names"]


def test_a_stateful_job_is_an_ordinary_job(bench: StreamBench) -> None:
    job = "def run(events):\n    return events.dropDuplicates(['id'])\n"
    bench.land(1, 1, 2)
    bench.run(job=job)
    bench.land(2, 3)
    code, _ = bench.run(job=job, run_id="r2")
    assert (code, bench.ids()) == (0, [1, 2, 3])
    bench.lose_checkpoint()
    bench.land(4)
    code, report = bench.run(job=job, run_id="r3")
    assert (code, bench.ids()) == (FAILED, [1, 2, 3])
    assert report.failure is not None
    assert report.failure.type == "DataError"
    assert "state" in report.failure.message


def test_a_stateful_batch_that_main_has_leaves_its_state_all_the_same(bench: StreamBench) -> None:
    job = "def run(events):\n    return events.dropDuplicates(['id'])\n"
    bench.land(1)
    bench.run(job=job)
    (bench.checkpoint() / "commits" / "0").unlink()
    (bench.checkpoint() / "commits" / ".0.crc").unlink()
    bench.land(1, 2)
    code, report = bench.run(job=job, run_id="r2")
    assert (code, bench.ids()) == (0, [1, 2])
    assert report.flow is not None
    assert report.flow.skipped == 1


def test_a_job_may_observe_numbers_of_its_own(bench: StreamBench) -> None:
    lines = "from pyspark.sql import functions as F\n\n\ndef run(events):\n"
    bench.land(1)
    code, _ = bench.run(job=f"{lines}    return events.observe('m', F.count('*').alias('n'))\n")
    assert (code, bench.ids()) == (0, [1])


@pytest.mark.parametrize(
    ("job", "error", "said"),
    [
        ("def run(events):\n    return 3\n", "SpecError", "return a pyspark DataFrame"),
        (
            "def run(spark, events):\n    return spark.range(3)\n",
            "SpecError",
            "a frame that is no stream",
        ),
        ("def run(events):\n    return events.select('nope')\n", "JobError", "nope"),
        (
            "def run(events):\n    return events.selectExpr('int(raise_error(id)) AS id')\n",
            "DataError",
            "1",
        ),
    ],
)
def test_what_goes_wrong_is_told_as_for_any_stage(
    bench: StreamBench, job: str, error: str, said: str
) -> None:
    bench.land(1)
    code, report = bench.run(job=job, expectations=[])
    assert code == FAILED
    assert report.failure is not None
    assert (report.failure.type, said in report.failure.message) == (error, True), report.failure


def test_a_file_that_is_not_of_its_schema_is_a_data_error(bench: StreamBench) -> None:
    (bench.landing / "bad.json").write_text('{"id": "x"}\n')
    code, report = bench.run()
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == "DataError"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trigger": "10 parsecs"}, "trigger='10 parsecs'"),
        ({"trigger": "10 seconds"}, "never ends by itself"),
        ({"run_for": "0 hours"}, "run_for='0 hours'"),
        ({"max_per_batch": 0}, "at least 1"),
        ({"max_per_batch": True}, "at least 1"),
        ({"compact": 0}, "compact=0; give such as '1 hour', or a whole number"),
        ({"compact": True}, "compact=True"),
        ({"compact": "often"}, "compact='often'"),
        ({"compact": 1.5}, "compact=1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Stream(**settings)


def test_a_warning_publishes_and_the_worst_judgement_is_reported(bench: StreamBench) -> None:
    bench.land(1, v=-1.0)
    bench.land(2)
    mild = {**POSITIVE, "severity": "warning"}
    code, report = bench.run(max_per_batch=1, expectations=[mild])
    assert (code, bench.ids(), report.verdict) == (0, [1, 2], "warn")
