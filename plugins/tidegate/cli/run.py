"""``run``: one stage as its DAG file defines it, with Airflow's library and without its server."""

import logging
from argparse import Namespace
from typing import Any

from tidegate.cli.environment import airflow_library
from tidegate.cli.exits import CLOSED, DONE, FAILED
from tidegate.contract import KINDS
from tidegate.errors import GateClosed, SpecError, TidegateError

log = logging.getLogger(__name__)


def run(asked: Namespace) -> int:
    """Run one stage, telling what its task log would hold; return the exit code.

    :raises SpecError: if there is no such stage, or it cannot run without its DAG.
    """
    with airflow_library():
        from tidegate.cli.dag_files import dag_of
        from tidegate.cli.task import check_copy, execute, stage_at
        from tidegate.cli.upstream import read_published

        task = _stage(dag_of(asked.dag_file, asked.dag), asked.task_id)
        check_copy(task, asked.map_index)
        for name, other in read_published(task).items():
            log.info("[cli] %s: of %s as it is now, which is not run here", name, other)
        stage, context = stage_at(task, asked.date, asked.map_index)
        if asked.no_publish and stage.kind == "stream":
            raise SpecError(
                f"task {asked.task_id!r} is a stream, which publishes each micro-batch before it "
                "reads on: leave --no-publish out"
            )
        is_gate = KINDS[stage.kind].publishes == "nothing"
        stage.publish = is_gate or not asked.no_publish
        try:
            execute(stage, context)
        except GateClosed:
            return CLOSED
        except TidegateError:
            return FAILED  # told already, by its card
    return DONE


def _stage(dag: Any, task_id: str) -> Any:
    from tidegate.cli.task import kind_of

    task = dag.task_dict.get(task_id)
    stages = [each.task_id for each in dag.tasks if kind_of(each)]
    if task is None:
        raise SpecError(f"DAG {dag.dag_id!r} has no task {task_id!r}; its stages are {stages}")
    if kind_of(task) is None:
        raise SpecError(
            f"task {task_id!r} is no stage of tidegate: run it with airflow tasks test; the stages "
            f"of DAG {dag.dag_id!r} are {stages}"
        )
    return task
