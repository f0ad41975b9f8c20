"""Each copy of a mapped stage in its worker: its key, report, event, reads and card."""

import logging
from typing import Any

import pytest
from airflow.sdk import Asset, task, task_group
from mapped import (
    DAYS,
    Supervisor,
    by_day,
    copy_of,
    entries_task,
    execute,
    partial,
    stage,
)
from stages import FakeProject, context, given

from tidegate.errors import SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the copies of a mapped task have handed on these results."""
    where = "airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS"

    def set_results(*found: Any) -> None:
        monkeypatch.setattr(where, Supervisor(list(found)), raising=False)

    return set_results


def card_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the card of what was refused, each row on one line."""
    head, *lines = [line for line in caplog.messages if line.startswith("| ")]
    rows: list[str] = []
    for line in lines:
        if line[2:8].strip():
            rows.append(line)
        else:
            rows[-1] += line[8:]
    assert [row.split()[1] for row in rows] == ["why", "retry", "do"]
    return [head, *rows]


def test_a_copy_in_a_mapped_group_has_its_own_partition(project: FakeProject) -> None:
    with project.dag() as dag:

        @task_group
        def group(day: Any) -> None:
            stage(dag, "one", partition={"ds": day}, writes="lake.a.b")

        group.expand(day=["2013-02-08", "2013-02-09"])
    one = dag.get_task("group.one")
    at = context(one)
    at["ti"].map_index = 1
    one.render_template_fields(at)
    one.execute(at)
    assert given(one, at).key == '["d", "group.one", 1, {"ds": "2013-02-09"}]'


def test_each_copy_has_its_key_report_and_event(project: FakeProject) -> None:
    mapped = by_day(project.dag())
    keys = []
    for index, day in enumerate(DAYS):
        task, at = copy_of(mapped, index)
        result = task.execute(at)
        keys.append(given(task, at).key)
        assert f"map={index}" in result["report"]
        event = at["outlet_events"][Asset("lake.a.b")].extra
        assert event["partition"] == given(task, at).partition == day
        assert reports_store().files(this_attempt(at)).exists("report.html")
        (_, link) = task.operator_extra_links
        key = at["ti"]
        assert link.get_link(task, ti_key=key).endswith(f"/mapped/{index}/1")
    assert keys == [
        '["d", "mapped", 0, {"ds": "2013-02-08"}]',
        '["d", "mapped", 1, {"ds": "2013-02-09"}]',
    ]


def test_a_copy_has_an_event_for_its_own_target_alone(project: FakeProject) -> None:
    dag = project.dag()
    entries = [{"writes": "lake.a.b"}, {"writes": "lake.a.c"}]
    mapped = partial(dag, reads={"x": "x.csv"}, outlets=[Asset("mine")]).expand_kwargs(entries)
    assert mapped.outlets == [Asset("mine"), Asset("lake.a.b"), Asset("lake.a.c")]
    task, at = copy_of(mapped, 1)
    assert task.outlets == [Asset("mine"), Asset("lake.a.c")]
    task.execute(at)
    assert set(at["outlet_events"]) == {Asset("lake.a.c")}


def test_a_copy_reads_what_the_stage_before_it_published(project: FakeProject) -> None:
    dag = project.dag()
    first = stage(dag, "first")
    handed_on = {"read": {"table": "lake.a.first", "snapshot_id": 9}}
    task, at = copy_of(by_day(dag, reads={"x": first}), 0, first=handed_on)
    task.execute(at)
    (read,) = given(task, at).reads
    assert (read.table, read.snapshot_id) == ("lake.a.first", 9)


def test_a_copy_of_what_another_task_returned(project: FakeProject) -> None:
    with project.dag() as dag:
        mapped = partial(dag, reads={"x": "x.csv"}).expand_kwargs(entries_task())
    told = [{"writes": "lake.a.b", "partition": day} for day in DAYS]
    copy, at = copy_of(mapped, 1, entries=told)
    execute(copy, at)
    assert given(copy, at).partition == DAYS[1]


def test_a_text_that_came_by_xcom_is_no_template(project: FakeProject) -> None:
    with project.dag() as dag:

        @task
        def reads() -> list[dict[str, Any]]:
            return []

        mapped = partial(dag, writes="lake.a.{{ ti.task_id }}").expand(reads=reads())
    copy, _ = copy_of(mapped, 0, reads=[{"x": "{{ ds }}.csv"}])
    assert copy.reads == {"x": "{{ ds }}.csv"}


def published(table: str, snapshot: int) -> dict[str, Any]:
    return {"read": {"table": table, "snapshot_id": snapshot}, "rows": 1}


def test_who_reads_all_copies_of_one_table_reads_the_table(
    project: FakeProject, results: Any
) -> None:
    dag = project.dag()
    reader = stage(dag, "reader", reads={"x": by_day(dag)})
    results(published("lake.a.b", 7), published("lake.a.b", 3))
    at = context(reader)
    reader.render_template_fields(at)
    reader.execute(at)
    (read,) = given(reader, at).reads
    assert (read.table, read.snapshot_id) == ("lake.a.b", None)


def test_a_single_copy_is_read_at_its_snapshot(project: FakeProject, results: Any) -> None:
    dag = project.dag()
    reader = stage(dag, "reader", reads={"x": by_day(dag)})
    results(published("lake.a.b", 7))
    at = context(reader)
    reader.render_template_fields(at)
    reader.execute(at)
    assert given(reader, at).reads[0].snapshot_id == 7


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([published("lake.a.b", 7), published("lake.a.c", 8)], r"\['lake.a.b', 'lake.a.c'\]; name"),
        ([], "no copy of the mapped stage handed anything on"),
    ],
)
def test_copies_of_several_tables_or_of_none_are_refused_with_a_card(
    project: FakeProject,
    results: Any,
    caplog: pytest.LogCaptureFixture,
    found: list[Any],
    said: str,
) -> None:
    dag = project.dag()
    reader = stage(dag, "reader", reads={"x": by_day(dag)})
    results(*found)
    at = context(reader)
    reader.render_template_fields(at)
    with pytest.raises(SpecError, match=said):
        reader.execute(at)
    assert card_of(caplog)[0] == "|        SPEC ERROR  d / reader  try 1"


def test_a_copy_that_has_no_rival_goes_through_beside_two_that_have(
    project: FakeProject,
) -> None:
    with project.dag() as dag:
        fixed = {"reads": {"x": "x.csv"}, "writes": "lake.a.b"}
        mapped = partial(dag, **fixed).expand(partition=entries_task())
    days = [DAYS[0], DAYS[1], DAYS[0]]
    copy, at = copy_of(mapped, 1, entries=days)
    execute(copy, at)
    copy, at = copy_of(mapped, 2, entries=days)
    with pytest.raises(SpecError, match="copies 0 and 2 both write partition"):
        execute(copy, at)


AT_RUN: list[tuple[list[Any], str]] = [
    ([{"writes": "lake.a.b", "partition": {"ds": 3}}], "give column to value"),
    ([{"writes": "b"}], "names no catalog"),
    ([{"writes": "lake.a.b"}, {"writes": "lake.a.b"}], "copies 0 and 1 both write lake.a.b"),
]


@pytest.mark.parametrize(("entries", "said"), AT_RUN, ids=[said[:20] for _, said in AT_RUN])
def test_what_only_the_run_shows_is_refused_with_a_card(
    project: FakeProject, caplog: pytest.LogCaptureFixture, entries: list[Any], said: str
) -> None:
    with project.dag() as dag:
        before = entries_task()
        mapped = partial(dag, reads={"x": "x.csv"}).expand_kwargs(before)
    copy, at = copy_of(mapped, 0, entries=entries)
    with pytest.raises(SpecError, match=said):
        execute(copy, at)
    assert card_of(caplog)[0] == "|        SPEC ERROR  d / mapped  copy 0  try 1"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"writes": "lake.a.b", "partitions": {}}, "partitions"),
        ({}, "missing keyword argument 'writes'"),
        ({"writes": "lake.a.b", "gate": "s"}, "already specified argument: gate"),
        ("lake.a.b", "is mapped over 'lake.a.b'"),
    ],
)
def test_arguments_by_xcom_that_are_none_are_a_spec_error_with_a_card(
    project: FakeProject, caplog: pytest.LogCaptureFixture, entry: Any, said: str
) -> None:
    with project.dag() as dag:
        before = entries_task()
        mapped = partial(dag, reads={"x": "x.csv"}).expand_kwargs(before)
    caplog.set_level(logging.INFO)
    with pytest.raises(SpecError, match=said):
        copy_of(mapped, 0, entries=[entry])
    assert card_of(caplog)[0] == "|        SPEC ERROR  d / mapped  copy 0  try 1"


def test_a_stage_that_is_refused_in_its_run_has_a_card_too(
    project: FakeProject, caplog: pytest.LogCaptureFixture
) -> None:
    made = stage(project.dag(), "plain", job="{{ params.job }}")
    at = context(made)
    made.job = "jbo.py"
    with pytest.raises(SpecError, match="no file"):
        made.execute(at)
    head, _, *rest = card_of(caplog)
    assert head == "|        SPEC ERROR  d / plain  try 1"
    assert rest == [
        "| retry  no: the DAG, job file, suite or set-up must change first",
        "| do     change what the first line names, then clear this task",
    ]
