"""Turning whatever a stage raised into one class of :mod:`tidegate.errors` and the one line that decides.

The rules are those measured on 46 provoked failures: Spark's outermost exception is often generic or misleading, so the
cause chain is walked to the deepest error condition that says something, then judged by SQLSTATE class, cause or text.
"""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from tidegate.contract import Failure
from tidegate.errors import TidegateError

_GENERIC = (
    "FAILED_READ_FILE",
    "STREAM_FAILED",
    "FAILED_EXECUTE_UDF",
    "TASK_WRITE_FAILED",
    "_LEGACY",
)
_BY_STATE = {
    **dict.fromkeys(("42", "0A", "07", "46", "56", "51", "38"), "JobError"),
    **dict.fromkeys(("22", "23", "21", "P0", "39", "KD"), "DataError"),
    **dict.fromkeys(("53", "54"), "ResourceExhausted"),
    **dict.fromkeys(("40", "58"), "ClusterUnavailable"),
}
_BY_TEXT_FIRST = (
    (
        re.compile(
            r"OutOfMemoryError|Python worker exited|No space left|exited with code (137|52)\b|maxResultSize"
        ),
        "ResourceExhausted",
    ),
    (
        re.compile(
            r"ConnectException|UnknownHost|NoRouteToHost|SocketTimeout|kafka\S*TimeoutException"
            r"|All masters are unresponsive|ExecutorLostFailure|FetchFailed"
        ),
        "ClusterUnavailable",
    ),
)
_BY_TEXT_LAST = (
    (re.compile(r"AccessControlException|Mkdirs failed|Permission denied"), "SpecError"),
    (re.compile(r"ChecksumException|not a Parquet file|Malformed"), "DataError"),
)
_LONGEST = 600
_TRACE_LINES = 40


@dataclass(frozen=True)
class _Link:
    """One exception of a cause chain."""

    name: str
    text: str
    condition: str | None = None
    sqlstate: str | None = None


def diagnose(error: BaseException, spark: SparkSession | None, job: str | None) -> Failure:
    """Classify ``error``; never raises.

    :param job: the job file, whose own lines in the traceback say where its code failed.
    """
    trace = "".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:]
    if isinstance(error, TidegateError):
        cause = error.__cause__
        text = None if cause is None else _first_line(cause)
        return Failure(
            type=type(error).__name__, message=str(error), cause=text, trace="\n".join(trace)
        )
    chain = [*_java_chain(error, spark)] or [_Link(type(error).__name__, str(error))]
    decisive = _decisive(chain)
    where = _job_line(error, job)
    kind = _kind(chain, decisive, where)
    line = f"{decisive.name}: {decisive.text}" if decisive.condition is None else decisive.text
    return Failure(
        type=kind,
        message=f"{line.strip()[:_LONGEST]}" + (f" (at {where})" if where else ""),
        cause=line.strip().splitlines()[0][:_LONGEST] if line.strip() else None,
        condition=decisive.condition,
        sqlstate=decisive.sqlstate,
        trace="\n".join(trace),
    )


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:_LONGEST]


def _java_chain(error: BaseException, spark: SparkSession | None) -> Iterator[_Link]:
    """Yield the Java causes of ``error``, outermost first, each with its Spark error condition if it has one."""
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    try:
        throwable = (
            None
            if spark is None
            else spark._jvm.java.lang.Class.forName("org.apache.spark.SparkThrowable")
        )  # type: ignore[union-attr]
        while java is not None:
            conditioned = throwable is not None and throwable.isInstance(java)
            text = next(iter(str(java.getMessage() or "").strip().splitlines()), "")
            name = java.getClass().getName().rpartition(".")[2]
            if conditioned and (condition := java.getCondition()):
                yield _Link(name, text, condition, java.getSqlState())
            else:
                yield _Link(name, text or str(java.getMessage() or "")[:_LONGEST])
            java = java.getCause()
    except (Py4JError, OSError):  # the JVM is gone: what was read so far has to do
        return


def _decisive(chain: list[_Link]) -> _Link:
    """Return the deepest link with a telling condition, else the deepest that says anything."""
    telling = [link for link in chain if link.condition and not link.condition.startswith(_GENERIC)]
    spoken = [link for link in chain if link.text]
    return (telling or spoken or chain)[-1]


def _kind(chain: list[_Link], decisive: _Link, where: str | None) -> str:
    return next(_kinds(chain, decisive, where))


def _kinds(chain: list[_Link], decisive: _Link, where: str | None) -> Iterator[str]:
    """Yield what each rule takes the failure for, the most reliable rule first."""
    everything = "\n".join(f"{link.name}: {link.text}" for link in chain)
    yield from (kind for pattern, kind in _BY_TEXT_FIRST if pattern.search(everything))
    if (decisive.condition or "").startswith("PARSE_SYNTAX_ERROR"):
        yield "SpecError"
    if decisive.sqlstate and decisive.sqlstate[:2] in _BY_STATE:
        yield _BY_STATE[decisive.sqlstate[:2]]
    yield from (kind for pattern, kind in _BY_TEXT_LAST if pattern.search(everything))
    if any((link.condition or "").startswith("FAILED_READ_FILE") for link in chain):
        yield "DataError"
    # Java and Python causes without a rule come from what the job asked of Spark; a bare one outside it is ours.
    from_job = where or len(chain) > 1 or decisive.condition or decisive.name == "PythonException"
    yield "JobError" if from_job else "DriverLost"


def _job_line(error: BaseException, job: str | None) -> str | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if job and f.filename == job]
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None
