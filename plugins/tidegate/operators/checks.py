"""What can be known to be wrong while the DAG file is read, each as one clear ``SpecError``."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.contract import KINDS, RESERVED, Kind, is_table, parse_read
from tidegate.errors import SpecError

_MODEL = re.compile(r"[^/:%\"']+")


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
        if name in RESERVED:
            raise SpecError(
                f"task {task_id!r}: reads[{name!r}]: {RESERVED} are what every job is offered; "
                "choose another name"
            )
        if isinstance(value, str | Mapping) and not any(map(templated, _texts(value))):
            _named(task_id, name, value)
        elif isinstance(value, str):
            # The rendered value decides; the ending of a path is mostly outside its template.
            if not isinstance(name, str) or not name.isidentifier():
                _named(task_id, name, value)
        elif not isinstance(value, Mapping) and not hasattr(value, "resolve"):
            raise SpecError(
                f"task {task_id!r}: reads[{name!r}] is {type(value).__name__}; "
                "give a path, a table or a stage"
            )


def _named(task_id: str, name: object, value: object) -> None:
    try:
        parse_read(str(name), value)
    except SpecError as wrong:
        raise SpecError(f"task {task_id!r}: {wrong}") from None


def _texts(value: str | Mapping[str, Any]) -> Iterable[Any]:
    if isinstance(value, str):
        return (value,)
    return value.values()


def check_writes(task_id: str, kind: Kind, writes: str | None) -> None:
    """Refuse a target that cannot be written.

    :raises SpecError: if a table's name lacks its catalog, or a model's has characters that MLflow
        refuses.
    """
    publishes = KINDS[kind].publishes
    if publishes == "nothing" or templated(writes):
        return
    if not isinstance(writes, str) or not writes:
        raise SpecError(
            f"task {task_id!r}: writes={writes!r}; name the {publishes} it publishes to"
        )
    if publishes == "model" and not _MODEL.fullmatch(writes):
        raise SpecError(
            f"task {task_id!r}: writes={writes!r} is no MLflow model name "
            "(no '/', ':', '%' or quotes)"
        )
    if publishes == "table" and not is_table(writes):
        raise SpecError(
            f"task {task_id!r}: writes={writes!r} names no catalog; write "
            "catalog.namespace.table, such as 'lake.shop.orders'"
        )


def check_mode(task_id: str, kind: Kind, mode: str, partition: object) -> None:
    """Refuse a partition and mode that do not go together.

    :raises SpecError: if they do not, or either has no meaning for this kind.
    """
    if mode not in ("replace", "append"):
        raise SpecError(f"task {task_id!r}: mode={mode!r}; use 'replace' (the default) or 'append'")
    if partition is not None and not _is_partition(partition):
        raise SpecError(
            f"task {task_id!r}: partition={partition!r}; give column to value, "
            "e.g. {'ds': '{{ ds }}'}"
        )
    if partition and mode == "append":
        raise SpecError(
            f"task {task_id!r}: a partition is replaced whole; leave partition out to append, "
            "or mode to replace"
        )
    if KINDS[kind].publishes != "table" and (partition or mode == "append"):
        raise SpecError(
            f"task {task_id!r}: partition and mode are for tables; a {kind} stage writes none"
        )


def _is_partition(partition: object) -> bool:
    if not isinstance(partition, Mapping):
        return False
    texts = [*partition, *partition.values()]
    return all(isinstance(text, str) and text for text in texts)


def check_sole_writer(task_id: str, writes: str | None, others: Iterable[Any]) -> None:
    """Refuse a second stage of one DAG that writes the same target.

    :raises SpecError: naming the first.
    """
    for other in others:
        if writes and getattr(other, "writes", None) == writes and other.task_id != task_id:
            raise SpecError(
                f"task {task_id!r}: {writes} is already written by task {other.task_id!r}; "
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
    if not isinstance(job, str) or not job.endswith(suffix):
        raise SpecError(
            f"task {task_id!r}: job={job!r}; this operator runs a {suffix} file of spark_jobs/"
        )


def require_inputs(
    task_id: str, reads: Mapping[str, Any], needed: Iterable[str], engine: str
) -> None:
    """Refuse a graph without its two inputs, or of an engine that is none.

    :raises SpecError: naming what is missing.
    """
    if missing := [name for name in needed if name not in reads]:
        raise SpecError(
            f"task {task_id!r}: a graph is built from reads 'vertices' and 'edges'; "
            f"{missing} missing, got {sorted(reads)}"
        )
    if engine not in ("graphx", "graphframes"):
        raise SpecError(f"task {task_id!r}: engine={engine!r}; use 'graphx' or 'graphframes'")
