"""Reading a report and telling it: the green log, the failure card, and the error an operator raises."""

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from textwrap import shorten

from tidegate.contract import Expectation, Report, StageSpec
from tidegate.errors import (
    ClusterUnavailable,
    DriverLost,
    GateClosed,
    ResourceExhausted,
    SpecError,
    TidegateError,
)
from tidegate.retry import ADVICE

_WIDTH = 118
_MOST_EXPECTATIONS = 14
_MOST_FAILURES = 4
_LOST = (
    (
        re.compile(r"(unresolved dependency: \S+)"),
        SpecError,
        "a package of spark.jars.packages does not resolve",
    ),
    (
        re.compile(r"(Could not parse Master URL.*|Master must either be yarn or start with.*)"),
        SpecError,
        "the connection's master",
    ),
    (
        re.compile(r"((?:ModuleNotFoundError|ImportError): .*)"),
        SpecError,
        "the driver's Python lacks a package",
    ),
    (re.compile(r"(Cannot run program .*)"), SpecError, "PYSPARK_PYTHON names no Python"),
    (
        re.compile(r"(.*OutOfMemoryError.*)"),
        ResourceExhausted,
        "the driver ran out of memory; raise driver_memory",
    ),
    (re.compile(r"(.*No space left on device.*)"), ResourceExhausted, "the disk is full"),
    (
        re.compile(r"(.*All masters are unresponsive.*)"),
        ClusterUnavailable,
        "the Spark master did not answer",
    ),
)
_OUT_OF_MEMORY_EXIT = 52


def read_report(spec: StageSpec) -> Report | None:
    """Return the report this very attempt left, or None if it left none that can be read."""
    try:
        report = Report.from_json(spec.report_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report if report.attempt == spec.attempt else None


def lost(exit_code: int, tail: Iterable[str]) -> TidegateError:
    """Say why a driver left no report, from spark-submit's exit code and the end of its output."""
    text = "\n".join(tail)
    for pattern, kind, meaning in _LOST:
        if found := pattern.search(text):
            return kind(
                f"the driver ended before it could report: {meaning}: {shorten(found[1].strip(), 300)}"
            )
    if exit_code == _OUT_OF_MEMORY_EXIT:
        return ResourceExhausted(
            "the driver ended before it could report: out of memory (exit code 52); raise driver_memory"
        )
    how = f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    if exit_code > 128:
        how += f" (signal {exit_code - 128})"
    return DriverLost(
        f"the driver ended without a report: {how}; nothing was published by it, or the retry will find it"
    )


def error_of(spec: StageSpec, report: Report) -> TidegateError | None:
    """Return what the operator raises; None if the stage went through."""
    if report.outcome == "held" and report.judgement:
        failed = [e for e in report.judgement.failed if e.severity == "critical"]
        rows = (
            f" on {report.output.rows:,} rows"
            if report.output and report.output.rows is not None
            else ""
        )
        total = len(report.judgement.expectations)
        return GateClosed(
            f"gate {spec.suite.name!r} closed, nothing published: {len(failed)} critical of {total} expectations failed"
            f"{rows}: {'; '.join(_one_line(e) for e in failed[:_MOST_FAILURES])}"
        )
    return report.failure.as_error() if report.failure else None


def _one_line(e: Expectation) -> str:
    seen = e.exception or f"observed {e.observed}"
    if e.unexpected is not None and e.exception is None:
        share = f" ({e.share:.2%})" if e.share is not None else ""
        seen = (
            f"1 row{share} is not" if e.unexpected == 1 else f"{e.unexpected:,} rows{share} are not"
        )
    examples = f", e.g. {', '.join(e.examples)}" if e.examples else ""
    return shorten(f"{_rule(e)} ({e.bound}): {seen}{examples}", 220, placeholder=" …")


def _rule(e: Expectation) -> str:
    """Return ``wind_speed must be between`` for an ``expect_column_values_to_be_between`` on that column."""
    subject, _, verb = e.type.removeprefix("expect_").partition("_to_")
    subject = subject.removeprefix("column_").replace("_", " ").strip()
    subject = f"{e.column} {'' if subject in ('values', 'column') else subject}".strip()
    return f"{subject} must {verb.replace('_', ' ')}" if verb else subject


def green(report: Report) -> list[str]:
    """Return the lines of a stage that went through: inputs, gate, output, time; at most 30."""
    lines = [
        f"[in ] {each.name} = {each.source}"
        + (f" snapshot {each.snapshot_id}" if each.snapshot_id else "")
        for each in report.inputs[:6]
    ]
    if report.judgement and report.judgement.expectations:
        lines += _table(report.judgement.failed, report.judgement.expectations)
    if output := report.output:
        rows = "" if output.rows is None else f"{output.rows:,} rows "
        verb = "passed" if report.outcome == "passed" else f"published {rows}as {_version(report)}"
        was = f" (was {output.previous})" if output.previous else ""
        verdict = report.judgement.verdict if report.judgement else output.verdict
        lines.append(
            f"[end] {output.target}: {verb}{was}, verdict {verdict}"
            + (f"; {output.note}" if output.note else "")
        )
    return [*lines, _times(report)]


def _version(report: Report) -> str:
    kind = "version" if report.kind == "train" else "snapshot"
    return f"{kind} {report.output.version if report.output else ''}"


def _table(failed: Iterable[Expectation], every: tuple[Expectation, ...]) -> list[str]:
    shown = [*failed, *(e for e in every if e.success)][:_MOST_EXPECTATIONS]
    lines = [f"[gate] {'expectation':58} {'observed':22} {'bound':22} verdict"]
    for e in shown:
        what = _rule(e)
        verdict = (
            "pass"
            if e.success
            else {"critical": "FAIL", "warning": "warn", "info": "noted"}[e.severity]
        )
        lines.append(
            f"       {_cut(what, 58)} {_cut(e.observed or '', 22)} {_cut(e.bound, 22)} {verdict}"
        )
    rest = len(every) - len(shown)
    return [*lines, f"       … and {rest} more in the report"] if rest > 0 else lines


def _cut(text: str, width: int) -> str:
    return f"{text if len(text) <= width else text[: width - 1] + '…':{width}}"


def _times(report: Report) -> str:
    steps = " ".join(f"{name} {seconds:.1f}" for name, seconds in report.steps.items())
    spark = report.spark
    parts = [f"[sum] {sum(report.steps.values()):.1f} s: {steps}"]
    if spark.get("input_rows") is not None:
        parts.append(f"read {spark['input_rows']:,} rows {_size(spark['input_bytes'])}")
        parts.append(f"shuffle {_size(spark['shuffle_bytes'])}")
        parts.append(f"spill {_size(spark['spill_bytes'])}")
        parts.append(f"peak {_size(spark['peak_memory_bytes'])}")
    if spark.get("skew"):
        parts.append(f"skew {spark['skew']}x")
    if spark.get("failed_tasks"):
        parts.append(f"{spark['failed_tasks']} failed tasks, recovered")
    return " | ".join(parts)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def card(spec: StageSpec, error: TidegateError, report: Report | None, log: Path) -> list[str]:
    """Return the failure card, at most 15 lines: what failed, why, what follows, what was held, where to look."""
    advice = ADVICE[type(error)]
    kind = type(error).__name__
    rows = [
        (
            "",
            f"{_spaced(kind)}  {spec.attempt.dag_id} / {spec.attempt.task_id}  try {spec.attempt.try_number}",
        )
    ]
    if isinstance(error, GateClosed) and report and report.judgement:
        failed = report.judgement.failed
        rows = [("", f"{rows[0][1]}  suite {spec.suite.name}")]
        rows += [(_verdict_of(e), _one_line(e)) for e in failed[:_MOST_FAILURES]]
        if len(failed) > _MOST_FAILURES:
            rows.append(("", f"… and {len(failed) - _MOST_FAILURES} more in the report"))
    else:
        rows += [("why", line) for line in str(error).splitlines()[:3]]
        if (
            report
            and report.failure
            and report.failure.cause
            and report.failure.cause not in str(error)
        ):
            rows.append(("cause", report.failure.cause))
    rows.append(
        (
            "retry",
            f"{'no' if advice.delay is None else f'in {_delay(advice.delay)}, if tries are left'}: {advice.reason}",
        )
    )
    if report and report.output and report.output.held_at:
        rows += _held(report)
    if report and spec.docs_file.exists():
        rows.append(("look", str(spec.docs_file)))
    rows += [("log", str(log)), ("do", advice.do)]
    return [line for mark, text in rows for line in [f"| {mark:6} {text}"[: _WIDTH + 200]]]


def _verdict_of(e: Expectation) -> str:
    return {"critical": "FAIL", "warning": "warn", "info": "noted"}[e.severity]


def _held(report: Report) -> list[tuple[str, str]]:
    output = report.output
    if output is None or report.outcome != "held" or report.kind == "gate":
        return [("held", f"{output.target if output else ''}: nothing downstream reads it")]
    unit = "version" if report.kind == "train" else "snapshot"
    see = (
        f"readers still see {unit} {output.previous}"
        if output.previous
        else "readers see nothing, as before"
    )
    return [("held", f"{output.held_at} ({unit} {output.version}), NOT published; {see}")]


def _spaced(kind: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).upper()


def _delay(delay: timedelta) -> str:
    seconds = int(delay.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
