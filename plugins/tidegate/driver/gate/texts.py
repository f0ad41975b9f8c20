"""The witness between metadata and query: rules on text, by the values that the files list.

A rule that none of a column's values breaks is broken by no row. As with bounds, that proves
innocence and never guilt: which rows have a bad value, no list tells.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.gate.facts import ColumnFacts, FileFacts
from tidegate.driver.gate.gx import MetricId
from tidegate.driver.gate.metadata import is_whole
from tidegate.driver.jvm import call_behind, column_of, local_texts

ROWS_A_CORE = 2_000_000
"""Of fewer rows, one query over all of them takes less time than to fetch the lists."""
_RULES = re.compile(r"column_values\..*\.unexpected_count")


def answers(
    spark: SparkSession,
    metrics: Iterable[Any],
    aggregates: Mapping[MetricId, Column],
    facts: FileFacts,
) -> dict[MetricId, object]:
    """Return the counts of broken rows that the files prove to be 0.

    :param metrics: those that nothing has answered yet.
    :param aggregates: how a query would answer each of them, by the metric's id.
    """
    if facts.rows < ROWS_A_CORE * spark.sparkContext.defaultParallelism:
        return {}
    asked: dict[str, dict[MetricId, Column]] = defaultdict(dict)
    for metric in metrics:
        broken = _broken(spark, metric, aggregates[metric.id])
        if broken is not None:
            asked[metric.metric_domain_kwargs["column"]][metric.id] = broken
    found: dict[MetricId, object] = {}
    for name, values in facts.texts(asked.keys() & facts.columns.keys()).items():
        frame = _frame(spark, name, list(values), facts.columns[name])
        found |= dict.fromkeys(_unbroken(frame, asked[name]), 0)
    return found


def _broken(spark: SparkSession, metric: Any, aggregate: Column) -> Column | None:
    """Return whether a row counts, of an aggregate that counts the rows which break a rule."""
    if not (_RULES.fullmatch(metric.metric_name) and is_whole(metric)):
        return None
    call = call_behind(aggregate)
    if call is None or call.functionName() != "sum":
        return None
    return column_of(spark, call.arguments().apply(0)) != F.lit(0)


def _frame(spark: SparkSession, name: str, values: Sequence[str], known: ColumnFacts) -> DataFrame:
    """Return a row for each value of a column, null among them if it is in the column."""
    nulls = [None] * bool(known.nulls)
    return local_texts(spark, [*values, *nulls]).toDF(name)


def _unbroken(frame: DataFrame, rules: Mapping[MetricId, Column]) -> Iterator[MetricId]:
    """Yield the rules that no row of a frame breaks; starts no job."""
    for metric, broken in rules.items():
        # One that raises is left to the query, which keeps each one's own error.
        with suppress(PySparkException, Py4JError):
            if not frame.where(broken).limit(1).collect():
                yield metric
