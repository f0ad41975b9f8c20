"""What can be known to be wrong while the DAG file is read, each as one clear ``SpecError``."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.contract import KINDS, RESERVED, Kind, is_table, parse_read
from tidegate.errors import SpecError

_MODEL = re.compile(r"[^/:%\"']+")
_MODES = ("replace", "append")
_ENGINES = ("graphx", "graphframes")


def require(holds: object, task_id: str, told: str) -> None:
    """Refuse what does not hold.

    :raises SpecError: naming the task, and saying ``told``.
    """
    if not holds:
        raise SpecError(f"task {task_id!r}: {told}")


def templated(value: object) -> bool:
    """Tell whether a value is known only once Airflow has rendered it."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def check_reads(task_id: str, reads: object) -> None:
    """Refuse reads that cannot be opened, as far as templates let see.

    :raises SpecError: if ``reads`` is no mapping, is empty, or has an entry or name that cannot be.
    """
    if not isinstance(reads, Mapping) or not reads:
        raise SpecError(
            f"task {task_id!r}: reads={reads!r}; name at least one input, "
            "e.g. reads={'orders': 'lake.shop.orders'}"
        )
    for name, value in reads.items():
        _check_read(task_id, name, value)


def _check_read(task_id: str, name: object, value: object) -> None:
    taken = f"reads[{name!r}]: {RESERVED} are what every job is offered; choose another name"
    require(name not in RESERVED, task_id, taken)
    if isinstance(value, str):
        # Of a template, the rendered value decides: the ending of a path is mostly outside it.
        _parse(task_id, name, "rendered.csv" if templated(value) else value)
    elif isinstance(value, Mapping):
        if not any(map(templated, value.values())):
            _parse(task_id, name, value)
    else:
        given = type(value).__name__
        told = f"reads[{name!r}] is {given}; give a path, a table or a stage"
        require(hasattr(value, "resolve"), task_id, told)  # another task's output


def _parse(task_id: str, name: object, value: object) -> None:
    try:
        parse_read(str(name), value)
    except SpecError as wrong:
        # The same words, but for the task: which one it is, parse_read cannot know.
        raise SpecError(f"task {task_id!r}: {wrong}") from None


def check_writes(task_id: str, kind: Kind, writes: str | None) -> None:
    """Refuse a target that cannot be written.

    :raises SpecError: if a table's name lacks its catalog, or a model's has characters that MLflow
        refuses.
    """
    publishes = KINDS[kind].publishes
    if publishes == "nothing" or templated(writes):
        return
    told = f"writes={writes!r}; name the {publishes} it publishes to"
    require(isinstance(writes, str) and writes, task_id, told)
    if publishes == "model":
        told = f"writes={writes!r} is no MLflow model name (no '/', ':', '%' or quotes)"
        require(_MODEL.fullmatch(str(writes)), task_id, told)
    else:
        told = (
            f"writes={writes!r} names no catalog; write catalog.namespace.table, "
            "such as 'lake.shop.orders'"
        )
        require(is_table(str(writes)), task_id, told)


def check_mode(task_id: str, kind: Kind, mode: str, partition: object) -> None:
    """Refuse a partition and mode that do not go together.

    :raises SpecError: if they do not, or either has no meaning for this kind.
    """
    require(mode in _MODES, task_id, f"mode={mode!r}; use 'replace' (the default) or 'append'")
    told = f"partition={partition!r}; give column to value, e.g. {{'ds': '{{{{ ds }}}}'}}"
    require(_is_partition(partition), task_id, told)
    appends = mode == "append"
    told = "a partition is replaced whole; leave partition out to append, or mode to replace"
    require(not (partition and appends), task_id, told)
    told = f"partition and mode are for tables; a {kind} stage writes none"
    is_plain = not partition and not appends
    require(is_plain or KINDS[kind].publishes == "table", task_id, told)


def _is_partition(partition: object) -> bool:
    if not isinstance(partition, Mapping):
        return partition is None
    texts = [*partition, *partition.values()]
    return all(isinstance(text, str) and text for text in texts)


def check_sole_writer(task_id: str, writes: str | None, others: Iterable[Any]) -> None:
    """Refuse a second stage of one DAG that writes the same target.

    :raises SpecError: naming the first.
    """
    if not writes:
        return
    writers = [other.task_id for other in others if getattr(other, "writes", None) == writes]
    for other in sorted(set(writers) - {task_id}):
        raise SpecError(
            f"task {task_id!r}: {writes} is already written by task {other!r}; "
            "two stages of one DAG would replace each other's rows: give each its own table, "
            "or let one stage read both inputs"
        )


def require_suffix(task_id: str, kind: Kind, job: str | None) -> None:
    """Refuse a job of the wrong language.

    :raises SpecError: if ``job`` does not end as the jobs of its kind do.
    """
    suffix = KINDS[kind].suffix
    if suffix is None or templated(job):
        return
    told = f"job={job!r}; this operator runs a {suffix} file of spark_jobs/"
    require(isinstance(job, str) and job.endswith(suffix), task_id, told)


def require_inputs(
    task_id: str, reads: Mapping[str, Any], needed: Iterable[str], engine: str
) -> None:
    """Refuse a graph without its two inputs, or of an engine that is none.

    :raises SpecError: naming what is missing.
    """
    missing = [name for name in needed if name not in reads]
    told = (
        "a graph is built from reads 'vertices' and 'edges'; "
        f"{missing} missing, got {sorted(reads)}"
    )
    require(not missing, task_id, told)
    require(engine in _ENGINES, task_id, f"engine={engine!r}; use 'graphx' or 'graphframes'")
