"""The page's lists of facts: a name and what is told of it."""

from collections.abc import Mapping
from typing import Any

from tidegate.contract import KINDS, Input, Output, Report, brief, is_table
from tidegate.telling.green import size

Fact = tuple[str, str]
"""A name, and what is told of it."""

_LONGEST = 200
_UNREAD = {"held": "nothing downstream reads it"}
_LOOK = {"table": 'spark.table("{}").show()', "model": "load {} with MLflow"}
"""How to look at what is held."""
_MEASURES = {
    "application": "Application",
    "version": "Spark",
    "master": "Master",
    "input_rows": "Rows read",
    "input_bytes": "Bytes read",
    "shuffle_bytes": "Shuffled",
    "spill_bytes": "Spilled to disk",
    "peak_memory_bytes": "Peak memory",
    "tasks": "Tasks",
    "failed_tasks": "Failed tasks",
    "skew": "Skew",
}
"""Spark's measures in the order they are told; what a report holds besides stays in the report."""


def input_rows(report: Report) -> list[tuple[str, str, str]]:
    """Return name, source and state of every input."""
    rows = []
    for each in report.inputs:
        rows.append((each.name, each.source, _read_as(each)))
    return rows


def _read_as(each: Input) -> str:
    if each.snapshot_id is None:
        return each.state or "a file, which has no snapshot"
    if is_table(each.source):
        return f"snapshot {each.snapshot_id}"
    return f"version {each.snapshot_id}"


def given(*facts: tuple[str, str | None]) -> list[Fact]:
    """Return the facts of which something is told."""
    return [(name, told) for name, told in facts if told]


def output_facts(report: Report) -> list[Fact]:
    """Return what was published or held, what readers see, and how to look at it."""
    output = report.output
    if output is None:
        return []
    facts = [("Target", output.target)]
    if output.rows is not None:
        facts.append(("Rows", f"{output.rows:,}"))
    facts += _become(report, output)
    return [*facts, *given(("Note", output.note))]


def readers_still_see(report: Report) -> list[Fact]:
    """Return what readers go on seeing, of a stage that holds what it might have published."""
    row = KINDS[report.kind]
    if report.output is None or not _is_aside(report) or row.publishes == "nothing":
        return []
    return [("Readers still see", _state(row.unit, report.output.previous))]


def _is_aside(report: Report) -> bool:
    """Tell whether the output was kept from its readers: by its gate, or because that was asked."""
    held_at = report.output.held_at if report.output else None
    return report.outcome == "held" or held_at is not None


def _become(report: Report, output: Output) -> list[Fact]:
    """Return what became of a stage's output."""
    row = KINDS[report.kind]
    version = _state(row.unit, output.version)
    if row.publishes == "nothing":
        return given(("Held", _UNREAD.get(report.outcome)))
    if not _is_aside(report):
        return [("Published", version), ("Readers saw before", _state(row.unit, output.previous))]
    held_at = output.held_at or "nowhere any more"
    return [
        ("Held, not published", version),
        *readers_still_see(report),
        ("Held at", held_at),
        ("Look at it", _LOOK[row.publishes].format(held_at)),
    ]


def _state(unit: str, version: int | None) -> str:
    if version is None:
        return "nothing"
    return f"{unit} {version}"


def spark_facts(measures: Mapping[str, Any]) -> list[Fact]:
    """Return what the application measured of itself, as far as it is there."""
    facts = [(name, _measure(key, measures.get(key))) for key, name in _MEASURES.items()]
    return given(*facts)


def _measure(key: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, int | float):
        return brief(value, _LONGEST)
    if key.endswith("_bytes"):
        return size(value)
    if key == "skew":
        return f"{value} times the median task"
    return f"{value:,}"


def attempt_facts(report: Report) -> list[Fact]:
    """Return which attempt this was."""
    attempt = report.attempt
    facts = [
        ("DAG", attempt.dag_id),
        ("Task", attempt.task_id),
        ("Run", attempt.run_id),
        ("Try", str(attempt.try_number)),
    ]
    if attempt.map_index >= 0:
        facts.append(("Map index", str(attempt.map_index)))
    return [*facts, ("Kind", report.kind), ("Outcome", report.outcome)]
