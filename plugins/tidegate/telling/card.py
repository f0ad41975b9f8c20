"""The failure card: at most 15 lines for the person on call."""

import re
from datetime import timedelta

from tidegate.contract import (
    KINDS,
    Attempt,
    Expectation,
    Judgement,
    Report,
    Severity,
    StageSpec,
)
from tidegate.errors import GateClosed, TidegateError
from tidegate.store import REPORT
from tidegate.telling.advice import ADVICE, Advice
from tidegate.telling.finding import finding, shown
from tidegate.telling.flow import stopped_at
from tidegate.telling.lines import WIDTH, columns, middle, shared, wrapped, wrapped_path
from tidegate.telling.outcome import MOST_FAILURES
from tidegate.telling.wording import PAGE_LINK, subject

Row = tuple[str, str]
"""A mark of at most six letters, and what it is about."""

_MOST_LINES = 15
_ROOM = WIDTH - 9
"""The columns that the mark leaves for the text."""
_WIDEST_NAME = 36
_NOT_READ = ": nothing downstream reads it"
VERDICTS: dict[Severity, str] = {"critical": "FAIL", "warning": "warn", "info": "noted"}
"""How a failed expectation is marked, by its severity."""


def card(spec: StageSpec, error: TidegateError, report: Report | None, log: str) -> list[str]:
    """Return the card: what failed, why, what follows, what was held, where to look, what to do.

    :param log: where Spark's whole output lies.
    """
    advice = ADVICE[type(error)]
    suite = ""
    if isinstance(error, GateClosed):
        suite = spec.suite.name
    ends = [("retry", retry(advice))]
    if report:
        for line in stopped_at(report.flow):
            ends.append(("stream", middle(line, _ROOM)))
        ends += _held(report)
        ends.append(("look", f'"{PAGE_LINK}" on the task\'s page; {REPORT} beside the log'))
    ends += _under("log", wrapped_path(log, _ROOM, 2))
    ends.append(("do", advice.do))
    room = _MOST_LINES - 1 - len(ends)
    return _lines(_head(spec.attempt, error, suite), _reasons(error, report, room), ends)


def refusal(attempt: Attempt, error: TidegateError) -> list[str]:
    """Return the card of what was refused before a driver was started: it has left no files."""
    advice = ADVICE[type(error)]
    ends = [("retry", retry(advice)), ("do", advice.do)]
    return _lines(_head(attempt, error), _reasons(error, None, _MOST_LINES), ends)


def verdict_of(e: Expectation) -> str:
    """Return how an expectation is marked: ``ok``, or by its severity."""
    if e.success:
        return "ok"
    return VERDICTS[e.severity]


def _lines(head: str, reasons: list[Row], ends: list[Row]) -> list[str]:
    """Return the whole card; what the ends leave of its lines is shared by the reasons."""
    rows = [("", head)]
    room = _MOST_LINES - 1 - len(ends)
    for place, (mark, text) in enumerate(reasons):
        used = len(rows) - 1
        to_come = len(reasons) - 1 - place
        rows += _under(mark, wrapped(text, _ROOM, room - used - to_come))
    return [f"| {mark:6} {text}".rstrip() for mark, text in (*rows, *ends)]


def _under(mark: str, texts: list[str]) -> list[Row]:
    """Return rows of which the first alone bears the mark."""
    marks = [mark, *[""] * len(texts)]
    return list(zip(marks, texts, strict=False))


def _head(attempt: Attempt, error: TidegateError, suite: str = "") -> str:
    which = f"  try {attempt.try_number}"
    if attempt.map_index >= 0:
        which = f"  copy {attempt.map_index}{which}"
    names = [attempt.dag_id, attempt.task_id]
    if suite:
        names.append(suite)
        which += "  suite "
    what = f"{_spaced(type(error).__name__)}  "
    dag, task, *rest = shared(names, _ROOM - columns(f"{what} / {which}"))
    return f"{what}{dag} / {task}{which}{''.join(rest)}"


def _reasons(error: TidegateError, report: Report | None, room: int) -> list[Row]:
    if isinstance(error, GateClosed) and report and report.judgement:
        # One line is for those that are left out.
        return _failed(report.judgement, min(MOST_FAILURES, room - 1))
    rows = [("why", line) for line in str(error).splitlines()[:3]]
    if error.cause and error.cause not in str(error):
        rows.append(("cause", error.cause))
    return rows


def _failed(judgement: Judgement, most: int) -> list[Row]:
    failed = judgement.failed
    rows = [(verdict_of(each), _told(each)) for each in failed[:most]]
    left_out = len(failed) - len(rows)
    if left_out:
        rows.append(("", f"… and {left_out} more in the report"))
    return rows


def _told(e: Expectation) -> str:
    return f"{middle(subject(e), _WIDEST_NAME)}: {finding(e)}{shown(e)}"


def retry(advice: Advice) -> str:
    """Return whether an attempt is tried again, when, and why."""
    if advice.delay is None:
        return f"no: {advice.reason}"
    return f"in {_delay(advice.delay)}, if tries are left: {advice.reason}"


def _held(report: Report) -> list[Row]:
    output = report.output
    if output is None or not output.held_at:
        return []
    row = KINDS[report.kind]
    if report.outcome != "held" or row.publishes == "nothing":
        target = middle(output.target.removeprefix("file://"), _ROOM - columns(_NOT_READ))
        return [("held", f"{target}{_NOT_READ}")]
    see = "readers see nothing, as before"
    if output.previous:
        see = f"readers still see {row.unit} {output.previous}"
    where = middle(output.held_at, _ROOM)
    return _under("held", [where, f"{row.unit} {output.version}, NOT published", see])


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).upper()


def _delay(delay: timedelta) -> str:
    seconds = int(delay.total_seconds())
    if seconds % 60 == 0:
        return f"{seconds // 60} min"
    return f"{seconds} s"
