"""The green log: a stage that went through, in at most 30 lines."""

from collections.abc import Sequence

from tidegate.contract import KINDS, Expectation, Input, Judgement, Output, Report, plain
from tidegate.telling.card import verdict_of
from tidegate.telling.flow import flow_lines
from tidegate.telling.wording import bound, observed, rule

_MOST_INPUTS = 6
_MOST_EXPECTATIONS = 14
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def green(report: Report) -> list[str]:
    """Return the lines of a stage that went through: inputs, gate, output, time."""
    lines = [_input(each) for each in report.inputs[:_MOST_INPUTS]]
    if report.judgement:
        lines += _table(report.judgement)
    lines += flow_lines(report.flow)
    if report.output:
        lines.append(_end(report, report.output))
    return [plain(line) for line in (*lines, _times(report))]


def _input(each: Input) -> str:
    state = _if_any(" snapshot {}", each.snapshot_id) + _if_any(" ({})", each.state)
    return f"[in ] {each.name} = {each.source}{state}"


def _end(report: Report, output: Output) -> str:
    done = f"{_done(report, output)}{_if_any(' (was {})', output.previous)}"
    note = _if_any("; {}", output.note)
    verdict = _if_any(", verdict {}", report.verdict)
    return f"[end] {output.target}: {done}{verdict}{note}"


def _if_any(form: str, value: object) -> str:
    """Return ``form`` with ``value`` in it; empty if there is none."""
    return form.format(value) if value else ""


def _done(report: Report, output: Output) -> str:
    if report.outcome == "passed":
        return "passed"
    as_what = f"as {KINDS[report.kind].unit} {output.version}"
    if output.rows is None:
        return f"published {as_what}"
    return f"published {output.rows:,} rows {as_what}"


def _table(judgement: Judgement) -> list[str]:
    if not judgement.expectations:
        return []
    shown = judgement.gravest_first[:_MOST_EXPECTATIONS]
    lines = [f"[gate] {'expectation':58} {'observed':22} {'bound':22} verdict"]
    lines += _rows(shown)
    rest = len(judgement.expectations) - len(shown)
    if rest > 0:
        lines.append(f"       … and {rest} more in the report")
    return lines


def _rows(shown: Sequence[Expectation]) -> list[str]:
    lines = []
    for each in shown:
        columns = f"{_cut(rule(each), 58)} {_cut(observed(each), 22)} {_cut(bound(each), 22)}"
        lines.append(f"       {columns} {verdict_of(each)}")
    return lines


def _cut(text: str, width: int) -> str:
    if len(text) > width:
        text = text[: width - 1] + "…"
    return f"{text:{width}}"


def _times(report: Report) -> str:
    steps = " ".join(f"{name} {seconds:.1f}" for name, seconds in report.steps.items())
    spark = report.spark
    parts = [f"[sum] {sum(report.steps.values()):.1f} s: {steps}"]
    if spark.get("input_rows") is not None:
        parts.append(f"read {spark['input_rows']:,} rows {size(spark['input_bytes'])}")
        parts.append(f"shuffle {size(spark['shuffle_bytes'])}")
        parts.append(f"spill {size(spark['spill_bytes'])}")
        parts.append(f"peak {size(spark['peak_memory_bytes'])}")
    parts.append(_if_any("skew {}x", spark.get("skew")))
    parts.append(_if_any("{} failed tasks, recovered", spark.get("failed_tasks")))
    return " | ".join(filter(None, parts))


def size(count: float) -> str:
    """Return a number of bytes as a person writes it."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    if unit == 0:
        return f"{count:.0f} B"
    return f"{count:.1f} {_UNITS[unit]}"
