"""Mapped stages for tests: made, stored and read back, and rendered copy by copy."""

from typing import Any

from airflow.sdk import DAG, task
from stages import context

from tidegate.operators import BatchStageOperator

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
