"""Mapped stages: arrows and checks at parse; each copy's key, report, event and card in a run."""

import logging
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, task, task_group
from stages import FakeProject, context, given

from tidegate.errors import SpecError
from tidegate.operators import BatchStageOperator, GateOperator, GraphStageOperator
from tidegate.operators.attempt import this_attempt
from tidegate.retry import RETRY_POLICY
from tidegate.settings import reports_store

FIXED = {"task_id": "mapped", "job": "job.py", "gate": "s"}
DAYS = [{"ds": "2013-02-08"}, {"ds": "2013-02-09"}]


def stage(dag: DAG, task_id: str, **overrides: Any) -> BatchStageOperator:
    reads = {"x": "landing/x.csv"}
    made = {**FIXED, "task_id": task_id, "reads": reads, "writes": f"lake.a.{task_id}"}
    return BatchStageOperator(dag=dag, **{**made, **overrides})


def partial(dag: DAG, **given: Any) -> Any:
    return BatchStageOperator.partial(dag=dag, **{**FIXED, **given})


def by_day(dag: DAG, **overrides: Any) -> Any:
    """Return a stage mapped over two partitions of one table."""
    given = {"reads": {"x": "landing/x.csv"}, "writes": "lake.a.b", **overrides}
    return partial(dag, **given).expand(partition=DAYS)


def again(dag: DAG) -> Any:
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def arrows(dag: DAG) -> dict[str, set[str]]:
    """Return each task's upstream tasks, which must be the same in the stored DAG."""
    found = {each.task_id: set(each.upstream_task_ids) for each in dag.tasks}
    assert {each.task_id: set(each.upstream_task_ids) for each in again(dag).tasks} == found
    return found


def copy_of(mapped: Any, index: int, **xcoms: Any) -> tuple[Any, dict[str, Any]]:
    """Return a copy as its worker renders it, and its context."""
    from airflow.sdk.execution_time.context import set_current_context

    at = context(mapped)
    at["ti"].map_index = index
    at["ti"].xcom_pull = lambda task_ids, **_: xcoms[task_ids]
    at["dag"] = mapped.dag
    at["dag_run"].conf = {}
    at["task"] = mapped
    with set_current_context(at):
        mapped.render_template_fields(at)
    return at["task"], at


def execute(copy: Any, at: dict[str, Any]) -> Any:
    """Execute as Airflow's task runner does, which lets its context be asked for."""
    from airflow.sdk.execution_time.context import set_current_context

    with set_current_context(at):
        return copy.execute(at)


def entries_task() -> Any:
    """Return the reference to what a task ``entries`` returns."""

    @task
    def entries() -> list[Any]:
        return []

    return entries()


class Supervisor:
    """Answers for the results of a mapped task, which Airflow asks for one by one."""

    def __init__(self, results: list[Any]) -> None:
        self._results = results

    def send(self, asked: Any) -> Any:
        from airflow.sdk.execution_time import comms

        if isinstance(asked, comms.GetXComCount):
            return comms.XComCountResponse(len=len(self._results))
        if asked.offset >= len(self._results):
            return comms.ErrorResponse()
        return comms.XComSequenceIndexResult(root=self._results[asked.offset])


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the copies of a mapped task have handed on these results."""
    where = "airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS"

    def set_results(*found: Any) -> None:
        monkeypatch.setattr(where, Supervisor(list(found)), raising=False)

    return set_results


def card_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [line for line in caplog.messages if line.startswith("| ")]
    assert [line.split()[1] for line in found][1:] == ["why", "retry", "do"]
    return found


# What the DAG file says


def test_a_mapped_stage_runs_after_what_it_reads(project: FakeProject) -> None:
    dag = project.dag()
    first = stage(dag, "first")
    gate = GateOperator(task_id="gate", dag=dag, reads={"x": "x.csv"}, gate="s")
    by_day(dag, task_id="listed", reads={"x": first, "g": gate})
    entries = [{"writes": "lake.a.c", "partition": day} for day in DAYS]
    partial(dag, task_id="entries", reads={"x": first}).expand_kwargs(entries)
    assert arrows(dag) == {
        "first": set(),
        "gate": set(),
        "listed": {"first", "gate"},
        "entries": {"first"},
    }


def test_what_is_mapped_over_may_itself_be_stages(project: FakeProject) -> None:
    dag = project.dag()
    first, second = stage(dag, "first"), stage(dag, "second")
    entries = [
        {"reads": {"x": each}, "writes": f"lake.a.of_{each.task_id}"} for each in (first, second)
    ]
    partial(dag, task_id="entries").expand_kwargs(entries)
    entries = [{"x": first}, {"x": second}]
    partial(dag, task_id="reads", writes="lake.a.{{ params.to }}", params={"to": "x"}).expand(
        reads=entries
    )
    assert arrows(dag)["entries"] == arrows(dag)["reads"] == {"first", "second"}


def test_a_stage_is_mapped_over_what_another_task_returns(project: FakeProject) -> None:
    with project.dag() as dag:

        @task
        def days() -> list[dict[str, str]]:
            return DAYS

        @task
        def entries() -> list[dict[str, Any]]:
            return [{"writes": "lake.a.c", "partition": day} for day in DAYS]

        first = stage(dag, "first")
        reads = {"x": first}
        partial(dag, task_id="listed", reads=reads, writes="lake.a.b").expand(partition=days())
        partial(dag, task_id="entries_of", reads=reads).expand_kwargs(entries())
    assert arrows(dag) == {
        "days": set(),
        "entries": set(),
        "first": set(),
        "listed": {"days", "first"},
        "entries_of": {"entries", "first"},
    }


def test_a_stage_reads_and_is_mapped_over_a_mapped_stage(project: FakeProject) -> None:
    dag = project.dag()
    mapped = by_day(dag)
    stage(dag, "whole", reads={"x": mapped})
    each = mapped.output.map(lambda result: {"x": result})
    partial(dag, task_id="each", writes="lake.a.{{ ti.map_index }}").expand(reads=each)
    assert arrows(dag) == {"mapped": set(), "whole": {"mapped"}, "each": {"mapped"}}


def test_stages_in_task_groups_and_in_mapped_ones(project: FakeProject) -> None:
    with project.dag() as dag:
        first = stage(dag, "first")

        @task_group
        def plain() -> None:
            by_day(dag, reads={"x": first})

        @task_group
        def mapped(day: Any) -> None:
            one = stage(dag, "one", reads={"x": first}, partition={"ds": day})
            stage(dag, "two", reads={"x": one}, partition={"ds": day})

        plain()
        mapped.expand(day=["2013-02-08", "2013-02-09"])
    assert arrows(dag) == {
        "first": set(),
        "plain.mapped": {"first"},
        "mapped.one": {"first"},
        "mapped.two": {"mapped.one"},
    }


def test_a_mapped_stage_has_what_every_stage_has(project: FakeProject) -> None:
    dag = project.dag()
    mapped = by_day(dag, driver_memory="3g")
    assert (mapped.retries, mapped.retry_policy) == (2, RETRY_POLICY)
    assert mapped.outlets == [Asset("lake.a.b")]
    assert tuple(mapped.template_fields) == ("job", "reads", "writes", "partition", "gate")
    stored = again(dag).get_task("mapped")
    assert list(stored.extra_links) == ["Gate report", "Spark UI"]
    assert [each["__var"]["name"] for each in stored.outlets] == ["lake.a.b"]
    assert (stored.retries, stored.has_retry_policy) == (2, True)


def test_default_args_go_before_our_defaults(project: FakeProject) -> None:
    dag = project.dag()
    dag.default_args = {"retries": 7, "executor_memory": "5g"}
    mapped = by_day(dag)
    assert mapped.retries == 7
    task, _ = copy_of(mapped, 0)
    assert task.spark == {"executor_memory": "5g"}


def test_secret_conf_is_not_in_the_stored_dag(project: FakeProject) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = project.dag()
    secret = {"spark.hadoop.fs.s3a.access.key": "AKIA-SECRET"}
    mapped = by_day(dag, conf=secret)
    assert "AKIA-SECRET" not in str(DagSerialization.to_dict(dag))
    assert copy_of(mapped, 1)[0].spark == {"conf": secret}
    with pytest.raises(SpecError, match=r"mapped conf holds a secret.*give conf in partial\(\)"):
        partial(dag, task_id="t", reads={"x": "x.csv"}, writes="lake.a.c").expand(conf=[secret])


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"job": "jbo.py"}, {"partition": DAYS}, "task 'mapped': job 'jbo.py': no file"),
    ({}, {"job": ["job.py", "jbo.py"], "partition": DAYS}, "job 'jbo.py': no file"),
    ({}, {"partition": [{"ds": ""}]}, "give column to value"),
    ({"reads": {"x": 3}}, {"partition": DAYS}, "is int; give a path, a table or a stage"),
    ({}, {"partition": [DAYS[0], DAYS[1], DAYS[0]]}, "copies 0 and 2 both write partition"),
    ({}, {"partition": [{"ds": "{{ ds }}"}] * 2}, "copies 0 and 1 both write"),
    ({}, {"partition": [DAYS[0], {}]}, "copies 0 and 1 both write"),
    ({}, {"executor_memory": ["1g", "2g"]}, "copies 0 and 1 both write lake.a.b;"),
]


@pytest.mark.parametrize(("fixed", "mapped", "said"), BAD, ids=[said[:30] for *_, said in BAD])
def test_bad_copies_are_refused_at_parse(
    project: FakeProject, fixed: dict[str, Any], mapped: dict[str, Any], said: str
) -> None:
    given = {"reads": {"x": "landing/x.csv"}, "writes": "lake.a.b", **fixed}
    arguments = {**FIXED, **given}
    for name in mapped:
        arguments.pop(name, None)
    made = BatchStageOperator.partial(dag=project.dag(), **arguments)
    with pytest.raises(SpecError, match=said):
        made.expand(**mapped)


def test_what_is_known_is_checked_though_the_copies_are_not(project: FakeProject) -> None:
    with project.dag() as dag:

        @task
        def later() -> list[Any]:
            return []

        made = partial(dag, job="jbo.py", reads={"x": "x.csv"}, writes="lake.a.b")
        with pytest.raises(SpecError, match=r"task 'mapped': job 'jbo.py': no file"):
            made.expand(partition=later())
        graph = GraphStageOperator.partial(**{**FIXED, "task_id": "g"})
        graph.expand_kwargs(later())
        bad = GraphStageOperator.partial(**{**FIXED, "task_id": "h"}, reads={"edges": "e.csv"})
        with pytest.raises(SpecError, match=r"\['vertices'\] missing"):
            bad.expand_kwargs(later())


def test_copies_that_share_a_partition_of_another_task_are_rivals(project: FakeProject) -> None:
    dag = project.dag()
    day = stage(dag, "day").output["ds"]
    made = partial(dag, writes="lake.a.b", partition={"ds": day})
    with pytest.raises(SpecError, match="copies 0 and 1 both write partition"):
        made.expand(reads=[{"x": "a.csv"}, {"x": "b.csv"}])


def test_copies_that_append_or_differ_by_index_are_no_rivals(project: FakeProject) -> None:
    dag = project.dag()
    reads = [{"x": "a.csv"}, {"x": "b.csv"}]
    partial(dag, task_id="a", writes="lake.a.b", mode="append").expand(reads=reads)
    partial(dag, task_id="c", writes="lake.a.c_{{ ti.map_index }}").expand(reads=reads)


def test_a_mapped_stage_is_a_writer_like_any_other(project: FakeProject) -> None:
    dag = project.dag()
    by_day(dag)
    with pytest.raises(SpecError, match=r"lake.a.b is already written by task 'mapped'"):
        stage(dag, "other", writes="lake.a.b")
    entries = [{"writes": "lake.a.c"}, {"writes": "lake.a.b"}]
    with pytest.raises(SpecError, match=r"task 'third': lake.a.b is already written by task 'map"):
        partial(dag, task_id="third", reads={"x": "x.csv"}).expand_kwargs(entries)


def test_a_mapped_group_whose_copies_write_the_same_rows_is_refused(project: FakeProject) -> None:
    with project.dag() as dag:

        @task_group
        def group(day: Any) -> None:
            stage(dag, "one", reads={"x": day}, partition={"ds": "{{ ds }}"})

        with pytest.raises(SpecError, match="every copy of the mapped task group 'group' writes"):
            group.expand(day=["x.csv", "y.csv"])


# What a copy does in its worker


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
    assert card_of(caplog) == [
        "|        SPEC ERROR  d / plain  try 1",
        caplog.messages[1],
        "| retry  no: the DAG, job file, suite or set-up must change first",
        "| do     change what the first line names, then clear this task",
    ]
