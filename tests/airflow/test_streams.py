"""The stream's operator: what is refused while the DAG file is read, and what its driver gets."""

from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from stages import FakeProject, context, given

from tidegate import operators
from tidegate.contract import Merge, Stream
from tidegate.errors import SpecError

TOPIC = {"kafka": "a,b", "servers": "one:1", "schema": "id INT"}
EVENTS = {"path": "landing/events/", "stream": True, "format": "json", "schema": "id INT"}


def make(project: FakeProject, **overrides: Any) -> Any:
    arguments = {
        "task_id": "t",
        "dag": overrides.pop("dag", None) or project.dag(),
        "job": "job.py",
        "reads": {"x": EVENTS},
        "writes": "lake.a.b",
        "gate": "s",
    }
    return operators.StreamStageOperator(**{**arguments, **overrides})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"reads": {"x": "landing/x.csv"}}, "task 't': none of reads is a stream"),
        ({"reads": {"x": {**EVENTS, "schema": None}}}, "task 't': .*needs a 'schema'"),
        ({"reads": {"x": {**EVENTS, "stream": "yes"}}}, "task 't': .*stream='yes'"),
        ({"trigger": "often"}, "task 't': trigger='often'; give 'available_now', or such as"),
        ({"trigger": "10 seconds"}, "task 't': .*say after how long"),
        ({"run_for": 60}, "task 't': run_for=60; give such as '50 minutes'"),
        ({"max_per_batch": 0}, "task 't': max_per_batch=0"),
        ({"compact": "often"}, "task 't': compact='often'; give such as '1 hour', or a whole"),
        ({"mode": "replace"}, "task 't': mode='replace'; a stream adds rows"),
        ({"mode": "update"}, "task 't': mode='update' needs the columns that name a row"),
        ({"keys": ["id"]}, "task 't': .*of a stream 'update'"),
        ({"mode": "merge", "keys": ["id"]}, "task 't': mode='merge'; a stream adds rows"),
        ({"dead_letters": "yes"}, "task 't': dead_letters='yes'"),
        ({"asset_events": "all"}, "task 't': asset_events='all'; give 'attempt' or 'batch'"),
        ({"partition": {"ds": "{{ ds }}"}}, "leave partition out to append"),
        ({"reads": {"x": {"socket": "h:1", "schema": "a INT"}}}, "nobody listens to a TCP port"),
        ({"reads": {"x": {"socket": "h", "schema": "a INT"}}}, "give 'host:port'"),
        ({"reads": {"x": TOPIC, "y": {**TOPIC, "servers": "two:1"}}}, "task 't': .*topic .'a'"),
        ({"reads": {"x": TOPIC, "y": {**TOPIC, "kafka": "[bc]", "pattern": True}}}, "topic .'b'"),
        ({"job": "job.sql"}, "runs a .py file"),
        ({"writes": "a.b"}, "names no catalog"),
    ],
)
def test_a_stream_that_cannot_work_is_refused_at_parse(
    project: FakeProject, overrides: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        make(project, **overrides)


def test_no_other_stage_reads_a_stream(project: FakeProject) -> None:
    with pytest.raises(SpecError, match="never see the end of: use StreamStageOperator"):
        operators.BatchStageOperator(
            task_id="t",
            dag=project.dag(),
            job="job.py",
            reads={"x": EVENTS},
            writes="lake.a.b",
            gate="s",
        )


def test_a_stream_adds_rows_and_one_of_it_runs_at_a_time(project: FakeProject) -> None:
    made = make(project)
    assert (made.mode, made.max_active_tis_per_dag) == ("append", 1)
    assert made.stream == Stream(trigger="available_now")


def test_a_stream_that_updates_says_by_which_keys(project: FakeProject) -> None:
    project.submit_will(outcome="published")
    made = make(project, mode="update", keys=["id"], dead_letters=True)
    around = context(made)
    made.execute(around)
    seen = given(made, around)
    assert (seen.mode, seen.merge, seen.stream.dead_letters) == ("update", Merge(keys=["id"]), True)
    assert "run" not in seen.key


def test_no_other_stage_updates(project: FakeProject) -> None:
    with pytest.raises(SpecError, match="mode='update' is of a stream; use mode='merge'"):
        operators.BatchStageOperator(
            task_id="t",
            dag=project.dag(),
            job="job.py",
            reads={"x": "lake.a.a"},
            writes="lake.a.b",
            gate="s",
            mode="update",
            keys=["id"],
        )


def test_the_stream_may_be_a_template_in_parts(project: FakeProject) -> None:
    path = {**EVENTS, "path": "landing/{{ params.team }}/"}
    assert make(project, reads={"x": path}).reads["x"]["stream"] is True


def test_topics_of_their_own_may_be_in_two_reads(project: FakeProject) -> None:
    other = {**TOPIC, "kafka": "^ab", "pattern": True}
    later = {**TOPIC, "kafka": "{{ params.topic }}"}
    assert make(project, reads={"x": TOPIC, "y": other, "z": later}).stream


def test_how_long_it_runs_may_be_a_template(project: FakeProject) -> None:
    project.submit_will(outcome="published")
    made = make(project, trigger="10 seconds", run_for="{{ params.run_for }}")
    made.run_for = "1 minute"  # what Airflow makes of it, before the task is executed
    around = context(made)
    made.execute(around)
    seen = given(made, around).stream
    assert seen is not None
    assert seen.seconds == 60
    made.run_for = "for ever"
    with pytest.raises(SpecError, match="run_for='for ever'; give such as"):
        made.execute(context(made, try_number=2))


def test_the_driver_is_told_what_the_stream_is(project: FakeProject) -> None:
    project.submit_will(outcome="published")
    made = make(project, trigger="10 seconds", run_for="1 minute", max_per_batch=5, compact=9)
    around = context(made)
    made.execute(around)
    seen = given(made, around)
    told = {"trigger": "10 seconds", "run_for": "1 minute", "max_per_batch": 5, "compact": 9}
    assert seen.stream == Stream(**told)
    assert (seen.kind, seen.mode) == ("stream", "append")
    assert "run" not in seen.key
    (read,) = seen.reads
    assert read.path == f"file://{project.root}/landing/events"


def test_lines_by_tcp_lie_in_a_folder_of_their_own(project: FakeProject) -> None:
    port = {"socket": "h:1", "schema": "a INT"}
    made = make(project, reads={"x": port}, trigger="1 second", run_for="1 minute")
    around = context(made)
    made.execute(around)
    (read,) = given(made, around).reads
    assert read.folder == f"{project.root}/spool/d.t/x"


def test_an_event_tells_of_all_of_an_attempt(project: FakeProject) -> None:
    project.submit_will(outcome="published")
    made = make(project)
    around = context(made)
    made.execute(around)
    assert made.outlets == [Asset("lake.a.b")]
    assert around["outlet_events"][Asset("lake.a.b")].extra["snapshot_id"] == 7


def test_an_event_tells_of_each_micro_batch_if_that_is_asked(project: FakeProject) -> None:
    first = {"batch": 3, "rows": 60, "dead": 1, "verdict": "warn", "snapshot_id": 6, "batches": 2}
    second = {"batch": 4, "rows": 40, "dead": 0, "verdict": "pass", "snapshot_id": 7, "batches": 1}
    project.submit_will(outcome="published", events=[first, second])
    other = Asset("lake.a.other")
    made = make(project, asset_events="batch", outlets=[other])
    # Of the Asset itself there would be one event more, of nothing in particular.
    assert made.outlets == [other, AssetAlias("lake.a.b")]
    around = context(made)
    made.execute(around)
    assert given(made, around).stream == Stream(asset_events="batch")
    of_all = {"suite": "s", "run_id": "r1", "partition": {}}
    assert set(around["outlet_events"]) == {AssetAlias("lake.a.b")}
    assert around["outlet_events"][AssetAlias("lake.a.b")].added == [
        (Asset("lake.a.b"), {**of_all, **first}),
        (Asset("lake.a.b"), {**of_all, **second}),
    ]
