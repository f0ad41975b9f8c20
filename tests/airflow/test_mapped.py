"""Mapped stages while the DAG file is read: arrows, outlets, and which copies cannot be."""

from typing import Any

import pytest
from airflow.sdk import Asset, task, task_group
from mapped import (
    DAYS,
    FIXED,
    again,
    arrows,
    by_day,
    copy_of,
    partial,
    stage,
)
from stages import FakeProject

from tidegate import Merge
from tidegate.errors import SpecError
from tidegate.operators import BatchStageOperator, GateOperator, GraphStageOperator
from tidegate.retry import RETRY_POLICY


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
    partial(dag, task_id="m", writes="lake.a.m", mode="merge", keys=["id"]).expand(reads=reads)
    partial(dag, task_id="n", writes="lake.a.n", mode=Merge(keys=["id"])).expand(reads=reads)
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
