"""Telling a crash from a verdict: is an error the machinery's, or the data's and suite's."""

from collections.abc import Iterator

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tidegate.driver.jvm import is_down, java_causes
from tidegate.failures import is_machinery
from tidegate.rules import Fact


def is_crash(error: BaseException, spark: SparkSession) -> bool:
    """Tell whether ``error``, raised while judging, says nothing about the data or the suite."""
    return any(_is_machinery(each, spark) for each in _chain(error)) or is_down(spark)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_machinery(error: BaseException, spark: SparkSession) -> bool:
    if isinstance(error, (Py4JNetworkError, ConnectionError, EOFError)):
        return True
    if isinstance(error, PySparkException):
        return is_machinery(_fact(error, error.getCondition(), error.getSqlState()))
    if isinstance(error, Py4JError):
        # Spark's own name for it lies in a cause: a file that cannot be read, for one.
        facts = [_fact(error), *java_causes(error, spark)]
        return any(map(is_machinery, facts))
    return False


def _fact(error: BaseException, condition: str | None = None, state: str | None = None) -> Fact:
    return Fact(type(error).__name__, str(error), condition, state)
