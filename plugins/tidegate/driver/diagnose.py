"""Turning whatever a stage raised into one class of :mod:`tidegate.errors` and one deciding line.

Spark's outermost exception is often generic or misleading, so the cause chain is walked to the
deepest error condition that says something; ``failures.py`` has the rules for it.
"""

import traceback
from collections.abc import Sequence

from pyspark.sql import SparkSession

from tidegate.contract import Failure
from tidegate.driver.jvm import java_causes
from tidegate.driver.withheld import behind, job_place, withhold
from tidegate.errors import DriverLost, JobError, TidegateError
from tidegate.failures import rule_of
from tidegate.rules import Fact

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


def diagnose(
    error: BaseException, spark: SparkSession | None, job: str | None, *, discreet: bool = False
) -> Failure:
    """Classify ``error``; never raises.

    :param job: the job file, whose own lines in the traceback say where its code failed.
    :param discreet: whether the data has ``pii`` columns, which an engine's text may quote.
    """
    engine: BaseException | None = error
    if isinstance(error, TidegateError):
        failure = _already_known(error)
        engine = behind(error)
    else:
        failure = _found_out(error, spark, job)
    if not discreet:
        return failure
    decisive = Fact(type(error).__name__, "")
    if engine is not None:
        decisive = decisive_of(chain_of(engine, spark))
    return withhold(failure, error, decisive, job)


def _found_out(error: BaseException, spark: SparkSession | None, job: str | None) -> Failure:
    chain = chain_of(error, spark)
    decisive = decisive_of(chain)
    where = job_place(error, job)
    line = _line(decisive)
    message = line[:_LONGEST]
    if where:
        message += f" (at {where})"
    return Failure(
        type=_error_class(chain, decisive, where).__name__,
        message=message,
        cause=line.partition("\n")[0][:_LONGEST] or None,
        condition=decisive.condition,
        sqlstate=decisive.sqlstate,
        trace=_trace(error),
    )


def chain_of(error: BaseException, spark: SparkSession | None) -> list[Fact]:
    """Return the causes of ``error``, outermost first; it alone where Java has no part in it."""
    chain = list(java_causes(error, spark))
    if chain:
        return chain
    return [Fact(type(error).__name__, _of_java(str(error)))]


def _of_java(text: str) -> str:
    """Return what Java said, of a text in which py4j tells its own part first and a trace last.

    Of a failure before there is a session, nothing else is to be had.
    """
    _, said, java = text.partition("\n: ")
    if not said:
        return text
    return java.partition("\n\tat ")[0]


def decisive_of(chain: Sequence[Fact]) -> Fact:
    """Return the deepest fact with a telling condition, else the deepest that says anything."""
    for says_enough in (_is_telling, _is_spoken):
        for fact in reversed(chain):
            if says_enough(fact):
                return fact
    return chain[-1]


def _is_telling(fact: Fact) -> bool:
    return fact.condition is not None and not fact.condition.startswith(_GENERIC)


def _is_spoken(fact: Fact) -> bool:
    return fact.text != ""


def _already_known(error: TidegateError) -> Failure:
    cause = None
    if error.__cause__ is not None:
        cause = _first_line(error.__cause__)
    return Failure(type=type(error).__name__, message=str(error), cause=cause, trace=_trace(error))


def _trace(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(lines[-_TRACE_LINES:])


def _line(decisive: Fact) -> str:
    if decisive.condition is None:
        return f"{decisive.name}: {decisive.text}".strip()
    if decisive.place:
        return f"{decisive.text.strip()} in {decisive.place}"
    return decisive.text.strip()


def _first_line(error: BaseException) -> str:
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first}"[:_LONGEST]


def _error_class(chain: Sequence[Fact], decisive: Fact, where: str | None) -> type[TidegateError]:
    rule = rule_of(chain, decisive)
    if rule is not None:
        return rule.error
    # Causes without a rule come from what the job asked of Spark; a bare one outside it is ours.
    spark_said = len(chain) > 1 or decisive.condition is not None
    if where or spark_said or decisive.name == "PythonException":
        return JobError
    return DriverLost
