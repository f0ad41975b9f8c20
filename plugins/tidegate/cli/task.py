"""One task of a DAG, given what Airflow's task process would give it, without a server.

Borrowed of Airflow's task runner: ``RuntimeTaskInstance``, which makes the context that templates
see, and the sentinel by which an operator knows that it is not called by another one. What they
would ask a server for, they are refused here.
"""

from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from math import prod
from typing import Any, Protocol, cast
from uuid import uuid4

from airflow.sdk import Context
from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType, TIRunContext
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from jinja2 import TemplateError

from tidegate.contract import KINDS, Kind, StageSpec
from tidegate.errors import SpecError, require


class Stage(Protocol):
    """What a stage's operator offers; it comes from the DAG file, so no operator is imported."""

    kind: Kind
    publish: bool
    deferrable: bool

    def asked(self, context: Context) -> tuple[StageSpec, object]:
        """Return what a driver is asked to do.

        :raises SpecError: if it cannot work.
        """

    def execute(self, context: Context, **sentinel: object) -> object:
        """Run one attempt and tell its report.

        :raises TidegateError: of the class that the report names.
        """


class NeedsARun(SpecError):
    """Something that only a run of the whole DAG has."""


class Offline(RuntimeTaskInstance):
    """A task that no server knows of."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep nothing: nobody reads it."""

    def xcom_pull(self, task_ids: Any = None, *_: Any, **__: Any) -> Any:
        """Refuse to: only tasks of a run hand values on.

        :raises NeedsARun: naming the task whose value is asked for.
        """
        raise NeedsARun(
            f"task {self.task_id!r} takes what task {task_ids!r} hands on by XCom, which only a "
            "run of the whole DAG has: use dag.test(), or give the stage a value of its own"
        )


def kind_of(task: Any) -> Kind | None:
    """Return a task's kind of stage; None if it is no stage."""
    made_by = getattr(task, "operator_class", task)
    kind = getattr(made_by, "kind", None)
    return kind if kind in KINDS else None


def check_copy(task: Any, index: int) -> None:
    """Refuse a map index that does not go with a task.

    :param index: -1 for a task that is not mapped.
    :raises SpecError: if there is no such copy.
    :raises NeedsARun: if the task is in a mapped task group.
    """
    where = f"task {task.task_id!r}"
    if task.get_closest_mapped_task_group() is not None:
        raise NeedsARun(
            f"{where} is in a mapped task group, whose copies only a run of the whole DAG has: use "
            "dag.test()"
        )
    if not task.is_mapped:
        require(index == -1, f"{where} is not mapped; leave --map-index out")
        return
    count = _count(task.expand_input.value)
    told = f"{where} is mapped into {count} copies; say which: --map-index N, from 0 to {count - 1}"
    require(0 <= index < count, told)


def _count(mapped: Any) -> int:
    """Return how many copies a task is mapped into; what comes by XCom counts as one."""
    lists = [mapped]
    if isinstance(mapped, Mapping):
        lists = list(mapped.values())
    known = [len(each) for each in lists if isinstance(each, Sized)]
    return prod(known)


def stage_at(task: Any, date: datetime, map_index: int) -> tuple[Stage, Context]:
    """Return a stage as it is on a date, its templates rendered, and its context.

    :param map_index: of a mapped stage, the copy; else -1.
    :raises SpecError: if a template cannot be rendered without a server, or there is no such copy.
    """
    context = _instance(task, date, map_index).get_template_context()
    try:
        task.render_template_fields(context)
    except (TemplateError, AirflowException, AirflowRuntimeError) as wrong:
        # What Airflow raises of a variable or connection that is not there.
        told = f"{type(wrong).__name__}: {' '.join(str(wrong).split())}"
        raise SpecError(f"task {task.task_id!r} cannot be rendered here: {told}") from None
    return cast("Stage", context["task"]), context


def execute(stage: Stage, context: Context) -> None:
    """Run one attempt of a stage.

    :raises TidegateError: of the class that its report names, after its card.
    """
    stage.deferrable = False  # here is no triggerer
    sentinel = f"{type(stage).__name__}__sentinel"
    stage.execute(context, **{sentinel: ExecutorSafeguard.sentinel_value})


def _instance(task: Any, date: datetime, map_index: int) -> Offline:
    now = datetime.now(UTC)
    run_id = f"terminal__{date:%Y-%m-%dT%H:%M:%S}__{now:%Y%m%dT%H%M%S%f}"
    run = DagRun(
        dag_id=task.dag.dag_id,
        run_id=run_id,
        logical_date=date,
        data_interval_start=date,
        data_interval_end=date,
        run_after=date,
        start_date=now,
        end_date=None,
        run_type=DagRunType.MANUAL,
        state=DagRunState.RUNNING,
        consumed_asset_events=[],
        partition_key=None,
    )
    return Offline.model_construct(
        id=uuid4(),
        dag_id=task.dag.dag_id,
        task_id=task.task_id,
        run_id=run_id,
        map_index=map_index,
        try_number=1,
        max_tries=0,
        start_date=now,
        task=task,
        bundle_instance=None,
        _ti_context_from_server=TIRunContext(dag_run=run, max_tries=0),
    )
