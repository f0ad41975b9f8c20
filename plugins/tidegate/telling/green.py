"""The log of a stage: its head, and what a stage that went through says, in at most 40 lines."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tidegate.contract import KINDS, Expectation, Input, Judgement, Output, Report, StageSpec
from tidegate.telling.card import verdict_of
from tidegate.telling.finding import finding, shown
from tidegate.telling.flow import flow_lines
from tidegate.telling.lines import (
    WIDTH,
    begun,
    columns,
    filled,
    middle,
    padded,
    shared,
    wrapped,
    wrapped_path,
)
from tidegate.telling.wording import subject

_MOST_INPUTS = 4
_MOST_EXPECTATIONS = 14
_INDENT = 6
"""The columns of a line's mark, as in ``[run] ``."""
_ROOM = WIDTH - _INDENT
_WIDEST_NAME = 30
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def head(spec: StageSpec, root: str, log: str) -> list[str]:
    """Return the first lines of an attempt: what runs, and where its files lie.

    :param root: the reports folder; said here, and nowhere else.
    :param log: where Spark's whole output lies, below that folder.
    """
    attempt = spec.attempt
    copy = ""
    if attempt.map_index >= 0:
        copy = f"  copy {attempt.map_index}"
    which = f"{copy}  try {attempt.try_number}"
    dag, task = shared((attempt.dag_id, attempt.task_id), _ROOM - columns(f" / {which}"))
    count = len(spec.suite.document["expectations"])
    of_suite = f" ({count} expectations)"
    names = [f"gate {spec.suite.name}"]
    if spec.job:
        names.insert(0, f"job {Path(spec.job).name}")
    names = shared(names, _ROOM - columns(f"  {of_suite}"))
    return [
        f"[run] {dag} / {task}{which}",
        f"[run] {middle(f'run {attempt.run_id}', _ROOM)}",
        f"[run] {'  '.join(names)}{of_suite}",
        *_marked("[log]", wrapped_path(f"reports folder {root}", _ROOM, 2)),
        *_marked("[log]", wrapped_path(log, _ROOM, 2)),
    ]


def green(report: Report) -> list[str]:
    """Return the lines of a stage that went through: inputs, gate, output, time."""
    lines: list[str] = []
    for each in report.inputs[:_MOST_INPUTS]:
        lines += _input(each)
    if report.judgement and report.judgement.expectations:
        lines += _table(report.judgement)
    lines += flow_lines(report.flow)
    if report.output:
        lines += _end(report, report.output)
    return [*lines, *_times(report)]


def _input(each: Input) -> list[str]:
    name = middle(each.name, 24)
    state = _if_any(" snapshot {}", each.snapshot_id)
    room = _ROOM - columns(f"{name} = {state}")
    told = f"[in ] {name} = {middle(each.source.removeprefix('file://'), room)}{state}"
    if each.state is None:
        return [told]
    return [told, begun(f"      {each.state}")]


def _end(report: Report, output: Output) -> list[str]:
    done = f": {_done(report, output)}, verdict {report.verdict}"
    target = output.target.removeprefix("file://")
    lines = [f"{middle(target, _ROOM - columns(done))}{done}"]
    if output.version is not None:
        unit = KINDS[report.kind].unit
        lines.append(f"{unit} {output.version}{_if_any(' (was {})', output.previous)}")
    if output.note:
        lines += wrapped(output.note, _ROOM, 2)
    return _marked("[end]", lines)


def _if_any(form: str, value: object) -> str:
    """Return ``form`` with ``value`` in it; empty if there is none."""
    return form.format(value) if value else ""


def _done(report: Report, output: Output) -> str:
    if report.outcome == "passed":
        return "passed"
    if output.rows is None:
        return "published"
    return f"published {output.rows:,} rows"


def _table(judgement: Judgement) -> Iterator[str]:
    """Yield a line for each expectation: verdict and name, then what was seen of it."""
    gravest_first = judgement.gravest_first
    counts = Counter(map(verdict_of, gravest_first))
    told = ", ".join(f"{count} {mark}" for mark, count in counts.items())
    yield f"[gate] {len(gravest_first)} expectations: {told}"
    first = gravest_first[:_MOST_EXPECTATIONS]
    widest = max(columns(middle(subject(each), _WIDEST_NAME)) for each in first)
    for each in first:
        yield begun(f"  {verdict_of(each):5} {padded(subject(each), widest)}  {_seen(each)}")
    rest = len(gravest_first) - len(first)
    if rest > 0:
        yield f"  … and {rest} more in the report"


def _seen(each: Expectation) -> str:
    if each.withheld and each.unexpected is None:
        return "withheld (pii)"
    return f"{finding(each)}{shown(each)}"


def _times(report: Report) -> list[str]:
    """Return the seconds of the steps that took any, and what Spark measured."""
    told = [f"{name} {seconds:.1f}" for name, seconds in report.steps.items()]
    steps = [step for step in told if not step.endswith(" 0.0")]
    whole = [f"{sum(report.steps.values()):.1f} s: ", *(f"{step} " for step in steps)]
    spark = report.spark
    parts = []
    if spark.get("input_rows") is not None:
        parts.append(f"read {spark['input_rows']:,} rows {size(spark['input_bytes'])}")
        parts.append(f"shuffle {size(spark['shuffle_bytes'])}")
        parts.append(f"spill {size(spark['spill_bytes'])}")
        parts.append(f"peak {size(spark['peak_memory_bytes'])}")
    parts.append(_if_any("skew {}x", spark.get("skew")))
    parts.append(_if_any("{} failed tasks, recovered", spark.get("failed_tasks")))
    measures = [f"{part}, " for part in parts if part]
    lines = filled(whole, _ROOM, 2)
    if measures:
        lines += filled([*measures[:-1], measures[-1].rstrip(", ")], _ROOM, 2)
    return _marked("[sum]", lines)


def _marked(mark: str, lines: list[str]) -> list[str]:
    return [begun(f"{mark} {line}") for line in lines]


def size(count: float) -> str:
    """Return a number of bytes as a person writes it."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    if unit == 0:
        return f"{count:.0f} B"
    return f"{count:.1f} {_UNITS[unit]}"
