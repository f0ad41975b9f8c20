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
    plain,
)
from tidegate.errors import GateClosed, TidegateError
from tidegate.store import REPORT, AttemptFiles
from tidegate.telling.advice import ADVICE, Advice
from tidegate.telling.flow import stopped_at
from tidegate.telling.outcome import MOST_FAILURES
from tidegate.telling.wording import PAGE_LINK, sentence

Row = tuple[str, str]
"""A mark of at most six letters, and what it is about."""

_LONGEST_LINE = 318
VERDICTS: dict[Severity, str] = {"critical": "FAIL", "warning": "warn", "info": "noted"}
"""How a failed expectation is marked, by its severity."""


def card(spec: StageSpec, error: TidegateError, report: Report | None, log: str) -> list[str]:
    """Return the card: what failed, why, what follows, what was held, where to look, what to do.

    :param log: where Spark's whole output lies.
    """
    advice = ADVICE[type(error)]
    suite = ""
    if isinstance(error, GateClosed):
        suite = f"  suite {spec.suite.name}"
    rows = [_head(spec.attempt, error, suite), *_reasons(error, report), ("retry", retry(advice))]
    if report:
        rows += [("stream", line) for line in stopped_at(report.flow)]
        rows += _held(report)
        rows.append(("look", f'"{PAGE_LINK}" on the task\'s page; {_report_of(spec)}'))
    rows += [("log", log), ("do", advice.do)]
    return _lines(rows)


def refusal(attempt: Attempt, error: TidegateError) -> list[str]:
    """Return the card of what was refused before a driver was started: it has left no files."""
    advice = ADVICE[type(error)]
    rows = [_head(attempt, error), *_reasons(error, None)]
    rows += [("retry", retry(advice)), ("do", advice.do)]
    return _lines(rows)


def verdict_of(e: Expectation) -> str:
    """Return how an expectation is marked: ``pass``, or by its severity."""
    if e.success:
        return "pass"
    return VERDICTS[e.severity]


def _report_of(spec: StageSpec) -> str:
    return str(AttemptFiles(spec.folder).path(REPORT))


def _lines(rows: list[Row]) -> list[str]:
    return [plain(f"| {mark:6} {text}")[:_LONGEST_LINE] for mark, text in rows]


def _head(attempt: Attempt, error: TidegateError, suite: str = "") -> Row:
    told = f"{_spaced(type(error).__name__)}  {attempt.dag_id} / {attempt.task_id}"
    if attempt.map_index >= 0:
        told += f"  copy {attempt.map_index}"
    return "", f"{told}  try {attempt.try_number}{suite}"


def _reasons(error: TidegateError, report: Report | None) -> list[Row]:
    if isinstance(error, GateClosed) and report and report.judgement:
        return _failed(report.judgement)
    rows = [("why", line) for line in str(error).splitlines()[:3]]
    if error.cause and error.cause not in str(error):
        rows.append(("cause", error.cause))
    return rows


def _failed(judgement: Judgement) -> list[Row]:
    failed = judgement.failed
    rows = [(verdict_of(each), sentence(each)) for each in failed[:MOST_FAILURES]]
    left_out = len(failed) - len(rows)
    if left_out:
        rows.append(("", f"… and {left_out} more in the report"))
    return rows


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
        return [("held", f"{output.target}: nothing downstream reads it")]
    see = "readers see nothing, as before"
    if output.previous:
        see = f"readers still see {row.unit} {output.previous}"
    return [("held", f"{output.held_at} ({row.unit} {output.version}), NOT published; {see}")]


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).upper()


def _delay(delay: timedelta) -> str:
    seconds = int(delay.total_seconds())
    if seconds % 60 == 0:
        return f"{seconds // 60} min"
    return f"{seconds} s"
