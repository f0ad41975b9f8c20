"""What a stage reads of other stages, when it is not run with them: what they last published."""

from collections.abc import Mapping
from typing import Any

from tidegate.cli.task import kind_of
from tidegate.contract import KINDS
from tidegate.errors import require


def read_published(task: Any) -> dict[str, str]:
    """Put in the place of each stage among a task's reads what that stage publishes to.

    :return: by the input's name, the stage that is read so.
    :raises SpecError: if it is not known what an upstream stage publishes to.
    """
    # Of a mapped task all copies share what partial() was given; what it is mapped over stays.
    holder = getattr(task, "partial_kwargs", None) or vars(task)
    reads = holder.get("reads")
    if not isinstance(reads, Mapping):
        return {}
    # Not by setting the attribute, at which Airflow would draw arrows.
    holder["reads"] = {name: _published(value) for name, value in reads.items()}
    changed = [name for name, value in holder["reads"].items() if value is not reads[name]]
    return {name: reads[name].operator.task_id for name in changed}


def _published(value: Any) -> Any:
    """Return, of a stage among reads, what it publishes to or, of a gate, what it judges."""
    stage: Any = getattr(value, "operator", None)
    kind = kind_of(stage)
    if kind is None:
        return value
    given = getattr(stage, "partial_kwargs", None) or vars(stage)
    publishes = KINDS[kind].publishes
    if publishes == "nothing":
        judged, *_ = given["reads"].values()
        return _published(judged)
    writes = given.get("writes")
    require(
        isinstance(writes, str),
        f"task {stage.task_id!r} is mapped over what it writes; run it with its whole DAG, or give "
        "the stage that reads it the table's name",
    )
    return {publishes: writes}
