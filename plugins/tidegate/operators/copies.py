"""The copies of a mapped task: what each is given, and which of them write the same rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from tidegate.errors import SpecError
from tidegate.operators.checks import later, templated

_OF_ITS_OWN = re.compile(r"\b(ti|task_instance|task|params|map_index|expanded_ti_count|random)\b")
"""Names in a template whose value may differ between the copies of one run."""
_OF_A_TARGET = ("writes", "partition", "mode")
_REPLACES = "they would replace each other's rows: give each copy a partition or a table of its own"


def copies(task: Any, context: Any = None) -> list[dict[str, Any]] | None:
    """Return what each copy of a mapped task is given, by map index.

    :param context: Airflow's, in a run; without it, what comes by XCom is not known.
    :return: None if it is not known.
    """
    given = task.expand_input.value
    if not isinstance(given, Mapping):
        return _entries(given, context)
    lists = [_values(name, value, context) for name, value in given.items()]
    known = [each for each in lists if each is not None]
    if len(known) < len(lists):
        return None
    # Airflow counts the last argument up first, as product() does.
    return [dict(zip(given, each, strict=True)) for each in product(*known)]


def merged(task: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of one copy."""
    return {**task.partial_kwargs, **arguments}


def targets(task: Any) -> set[str]:
    """Return what a task of any kind writes, as far as is known while the DAG file is read."""
    if not getattr(task, "is_mapped", False):
        return _named([getattr(task, "writes", None)])
    shared = task.partial_kwargs.get("writes")
    return _named(each.get("writes", shared) for each in copies(task) or [{}])


def refuse_rivals(task: Any, known: list[dict[str, Any]], index: int | None = None) -> None:
    """Refuse copies that write the same rows.

    :param index: the copy to look at; all of them by default.
    :raises SpecError: naming two of them.
    """
    written = enumerate(_target(merged(task, each)) for each in known)
    for (first, one), (second, other) in combinations(written, 2):
        if index in (None, first, second) and _same_rows(one, other):
            raise SpecError(
                f"task {task.task_id!r}: copies {first} and {second} both write {_told(one)}; "
                f"{_REPLACES}"
            )


def refuse_a_group_of_rivals(task: Any) -> None:
    """Refuse a stage in a mapped task group that writes the same rows in each of its copies.

    :raises SpecError: naming the group.
    """
    group = task.get_closest_mapped_task_group()
    target = _target({name: getattr(task, name) for name in _OF_A_TARGET})
    if group is None or target is None or any(map(later, target[1].values())):
        return
    raise SpecError(
        f"task {task.task_id!r}: every copy of the mapped task group {group.group_id!r} writes "
        f"{_told(target)}; {_REPLACES}"
    )


Target = tuple[str, dict[str, Any]]


def _target(arguments: Mapping[str, Any]) -> Target | None:
    """Return table and partition that a copy replaces.

    :return: None if it replaces none, or if the two may become another copy's own once rendered.
    """
    writes = arguments.get("writes")
    partition = arguments.get("partition") or {}
    if not isinstance(writes, str) or not writes or not isinstance(partition, Mapping):
        return None
    if arguments.get("mode", "replace") != "replace":
        return None  # the rows of each copy are added, or merged
    if any(map(_of_its_own, [writes, *partition.values()])):
        return None
    return writes, dict(partition)


def _of_its_own(value: object) -> bool:
    return templated(value) and bool(_OF_ITS_OWN.search(str(value)))


def _same_rows(one: Target | None, other: Target | None) -> bool:
    if one is None or other is None or one[0] != other[0]:
        return False
    return one[1] == other[1] or not one[1] or not other[1]  # without a partition: all rows


def _told(target: Target | None) -> str:
    if target is None:
        return ""
    writes, partition = target
    if not partition:
        return writes
    return f"partition {partition} of {writes}"


def _named(found: Iterable[object]) -> set[str]:
    return {each for each in found if isinstance(each, str) and each}


def _values(name: str, value: Any, context: Any) -> Sequence[Any] | None:
    """Return the values of one mapped argument; None if they are not known."""
    if not later(value):
        return _items(value)
    if context is None:
        return None
    resolved = value.resolve(context)
    if name not in _OF_A_TARGET:
        # Of a mapped task's results each would be asked for by a call of its own, for nothing.
        return range(len(resolved))
    return _items(resolved)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(value)


def _entries(given: Any, context: Any) -> list[dict[str, Any]] | None:
    if context is None and (later(given) or any(map(later, given))):
        return None
    entries = [_resolved(each, context) for each in _resolved(given, context)]
    # What is no mapping is for the copy to tell that was given it.
    return [dict(each) if isinstance(each, Mapping) else {} for each in entries]


def _resolved(value: Any, context: Any) -> Any:
    if later(value):
        return value.resolve(context)
    return value
