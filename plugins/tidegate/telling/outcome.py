"""What a report amounts to: whether it is this attempt's, and the error that an operator raises."""

from tidegate.contract import Judgement, Report, StageSpec
from tidegate.errors import GateClosed, TidegateError
from tidegate.store import REPORT, AttemptFiles
from tidegate.telling.wording import sentence

MOST_FAILURES = 4
"""How many failed expectations a card and an error name; the report has all."""


def read_report(spec: StageSpec) -> Report | None:
    """Return the report this very attempt left, or None if it left none that can be read."""
    try:
        report = Report.from_json(AttemptFiles(spec.folder).read(REPORT))
    except (OSError, ValueError, KeyError, TypeError):
        # Missing, half-written by another hand, or of another version: the driver did not report.
        return None
    if report.attempt != spec.attempt:
        return None
    return report


def error_of(spec: StageSpec, report: Report) -> TidegateError | None:
    """Return what the operator raises; None if the stage went through."""
    if report.outcome == "held" and report.judgement:
        return GateClosed(_closed(spec, report, report.judgement))
    if report.failure:
        return report.failure.as_error()
    return None


def _closed(spec: StageSpec, report: Report, judgement: Judgement) -> str:
    critical = [each for each in judgement.failed if each.severity == "critical"]
    rows = ""
    if report.output and report.output.rows is not None:
        rows = f" on {report.output.rows:,} rows"
    told = "; ".join(map(sentence, critical[:MOST_FAILURES]))
    return (
        f"gate {spec.suite.name!r} closed, nothing published: {len(critical)} critical of "
        f"{len(judgement.expectations)} expectations failed{rows}: {told}"
    )
