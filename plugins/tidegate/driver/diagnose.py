"""Turning whatever a stage raised into one class of :mod:`tidegate.errors` and one deciding line.

Spark's outermost exception is often generic or misleading, so the cause chain is walked to the
deepest error condition that says something; ``failures.py`` has the rules for it.
"""

import traceback
from collections.abc import Sequence

from pyspark.sql import SparkSession

from tidegate.contract import Failure
from tidegate.driver.jvm import java_causes
from tidegate.errors import DriverLost, JobError, TidegateError
from tidegate.failures import Fact, rule_of

_GENERIC = (
    "FAILED_READ_FILE",
    "STREAM_FAILED",
    "FAILED_EXECUTE_UDF",
    "TASK_WRITE_FAILED",
    "_LEGACY",
)
"""Conditions that say no more than that something under them failed."""
_LONGEST = 600
_TRACE_LINES = 40


def diagnose(error: BaseException, spark: SparkSession | None, job: str | None) -> Failure:
    """Classify ``error``; never raises.

    :param job: the job file, whose own lines in the traceback say where its code failed.
    """
    trace = "\n".join("".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:])
    if isinstance(error, TidegateError):
        cause = error.__cause__
        text = None if cause is None else _first_line(cause)
        return Failure(type=type(error).__name__, message=str(error), cause=text, trace=trace)
    chain = list(java_causes(error, spark))
    if not chain:
        chain = [Fact(type(error).__name__, str(error))]
    decisive = _decisive(chain)
    where = _job_line(error, job)
    line = _line(decisive)
    place = f" (at {where})" if where else ""
    return Failure(
        type=_error_class(chain, decisive, where).__name__,
        message=f"{line[:_LONGEST]}{place}",
        cause=line.splitlines()[0][:_LONGEST] if line else None,
        condition=decisive.condition,
        sqlstate=decisive.sqlstate,
        trace=trace,
    )


def _line(decisive: Fact) -> str:
    if decisive.condition is None:
        return f"{decisive.name}: {decisive.text}".strip()
    return decisive.text.strip()


def _first_line(error: BaseException) -> str:
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first}"[:_LONGEST]


def _decisive(chain: Sequence[Fact]) -> Fact:
    """Return the deepest fact with a telling condition, else the deepest that says anything."""
    conditioned = [fact for fact in chain if fact.condition]
    telling = [fact for fact in conditioned if not str(fact.condition).startswith(_GENERIC)]
    spoken = [fact for fact in chain if fact.text]
    return (telling or spoken or list(chain))[-1]


def _error_class(chain: Sequence[Fact], decisive: Fact, where: str | None) -> type[TidegateError]:
    rule = rule_of(chain, decisive)
    if rule is not None:
        return rule.error
    # Causes without a rule come from what the job asked of Spark; a bare one outside it is ours.
    spark_said = len(chain) > 1 or decisive.condition is not None
    if where or spark_said or decisive.name == "PythonException":
        return JobError
    return DriverLost


def _job_line(error: BaseException, job: str | None) -> str | None:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == job]
    if not frames:
        return None
    last = frames[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"
