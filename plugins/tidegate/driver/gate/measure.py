"""The second witness: every aggregate of a suite in one query over the columns it needs."""

from collections.abc import Mapping

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.gate.crash import is_crash
from tidegate.driver.gate.gx import MetricId, as_json
from tidegate.driver.gate.one_job import one_job
from tidegate.driver.jvm import call_behind, column_of

_NULL_SKIPPING = frozenset(
    {"sum", "avg", "mean", "min", "max", "count", "stddev_samp", "stddev", "var_samp"}
)
"""Aggregates of one argument that take a row left out by a filter for a NULL argument."""
FEW = 50_000
"""So many rows are read by one task as fast as by several, whose answers are joined by another."""
_BROKEN = (PySparkException, Py4JError, ValueError, OverflowError, TypeError)
"""What one aggregate can raise: in Spark, or where Python cannot hold its value (a year 20260)."""

Columns = Mapping[MetricId, Column]


def within(aggregate: Column, predicate: Column | None) -> Column | None:
    """Return ``aggregate`` over the rows that meet ``predicate``; nothing if it takes a filter."""
    if predicate is None:
        return aggregate
    call = call_behind(aggregate)
    if call is None or call.isDistinct() or call.arguments().size() != 1:
        return None
    name: str = call.functionName()
    if name not in _NULL_SKIPPING:
        return None
    argument = column_of(SparkSession.active(), call.arguments().apply(0))
    return F.call_function(name, F.when(predicate, argument))


def analysed(frame: DataFrame, columns: Columns) -> dict[MetricId, Column]:
    """Return those of ``columns`` that Spark takes for an aggregate of ``frame``; starts no job.

    Great Expectations declares windows and missing columns as aggregates, too; those are its own
    to meet.
    """
    named = dict(columns)
    if not named:
        return {}
    try:
        _aggregated(frame, named)
    except AnalysisException:  # one of them, or more: each half is tried alone
        if len(named) < 2:
            return {}
        first, second = _halves(named)
        return analysed(frame, first) | analysed(frame, second)
    return named


def measure(frame: DataFrame, columns: Columns) -> dict[MetricId, object]:
    """Return the values of ``columns`` over ``frame``, in one query of one job.

    An aggregate that raises is left out: the rest keep their answers, and Great Expectations meets
    that one's error itself.

    :raises Exception: what Spark raised, if the machinery broke down.
    """
    if not columns:
        return {}
    try:
        with one_job(frame.sparkSession):
            (row,) = _aggregated(frame, columns).collect()
    except _BROKEN as error:
        if is_crash(error, frame.sparkSession):
            raise
        if len(columns) < 2:
            return {}
        first, second = _halves(columns)
        return measure(frame, first) | measure(frame, second)
    return {metric: as_json(value) for metric, value in zip(columns, row, strict=True)}


def _aggregated(frame: DataFrame, columns: Columns) -> DataFrame:
    named = [column.alias(f"a{place}") for place, column in enumerate(columns.values())]
    return frame.agg(*named)


def _halves(columns: Columns) -> tuple[Columns, Columns]:
    items = list(columns.items())
    half = len(items) // 2
    return dict(items[:half]), dict(items[half:])
