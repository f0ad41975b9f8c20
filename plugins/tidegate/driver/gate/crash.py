"""Telling a crash from a verdict: whether an error while judging is the machinery's, or the data's and the suite's."""

import re
from collections.abc import Iterator

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

_MACHINERY = re.compile(
    r"OutOfMemoryError|Python worker (exited|failed to connect)|No space left|ExecutorLostFailure|FetchFailed"
    r"|SparkContext (was|has been) (shut down|stopped)|stopped SparkContext|Job \d+ cancelled"
    r"|ConnectException|UnknownHost|SocketTimeout|All masters are unresponsive|FileNotFoundException"
)
_MACHINERY_STATES = ("08", "40", "53", "54", "58", "KD", "XX")
"""SQLSTATE classes: connection, transaction, resources, limits, system, the reading of files, internal."""


def is_crash(error: BaseException, spark: SparkSession) -> bool:
    """Tell whether ``error``, raised while judging, says nothing about the data or the suite."""
    return any(_is_machinery(each) for each in _chain(error)) or _is_down(spark)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_machinery(error: BaseException) -> bool:
    if isinstance(error, (Py4JNetworkError, ConnectionError, EOFError)):
        return True
    state = error.getSqlState() if isinstance(error, PySparkException) else None
    if state:  # Spark has a name for it; its text may quote the data
        return state.startswith(_MACHINERY_STATES)
    return isinstance(error, (PySparkException, Py4JError)) and bool(_MACHINERY.search(str(error)))


def _is_down(spark: SparkSession) -> bool:
    context = spark.sparkContext._jsc
    try:
        return context is None or bool(context.sc().isStopped())
    except (Py4JError, OSError):
        return True
