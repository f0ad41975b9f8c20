"""What a report amounts to: whether it is this attempt's, and the error that an operator raises."""

from tidegate.contract import Judgement, Report, StageSpec
from tidegate.errors import DriverLost, GateClosed, TidegateError
from tidegate.store import REPORT, AttemptFiles
from tidegate.telling.finding import sentence

MOST_FAILURES = 4
"""How many failed expectations a card and an error name; the report has all."""
UNBELIEVABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What reading or telling a report raises that no driver of this version has written whole."""


def read_report(spec: StageSpec) -> Report | None:
    """Return the report this very attempt left; None if it left none.

    :raises DriverLost: if there is one that cannot be believed: of another shape or version, or
        contradicting itself.
    """
    try:
        report = Report.from_json(AttemptFiles(spec.folder).read(REPORT))
    except FileNotFoundError:
        return None
    except UNBELIEVABLE as wrong:
        # Not ValueErrors alone: a report of protocol 1 may lack what every one of them had.
        raise DriverLost(
            f"the driver left a report that cannot be believed: {wrong}; whether it published is "
            "for the retry to find out"
        ) from wrong
    if report.attempt != spec.attempt:
        return None
    return report


def error_of(spec: StageSpec, report: Report, exit_code: int) -> TidegateError | None:
    """Return what the operator raises; None if and only if the stage went through.

    That is: it was published or passed, its gate did not close, and its driver ended well.
    """
    if report.outcome == "held" and report.judgement:
        return GateClosed(_closed(spec, report, report.judgement))
    if report.failure:
        return report.failure.as_error()
    if exit_code:
        return DriverLost(
            f"the driver reported {report.outcome!r}, and then ended with exit code {exit_code}; "
            "what it published, the retry will find and keep"
        )
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
