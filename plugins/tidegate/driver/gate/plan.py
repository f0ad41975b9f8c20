"""Planning: which aggregates a suite comes down to.

Great Expectations' own metric graph says so, run on the schema alone, without data.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from tidegate.driver.gate.gx import (
    Engine,
    MetricId,
    edges_of,
    is_condition,
    is_lazy,
    is_own,
    is_own_expectation,
    resolve,
)
from tidegate.driver.gate.measure import analysed, within

log = logging.getLogger(__name__)

SCHEMA = frozenset({"table.columns", "table.column_types", "table.column_count"})
"""Metrics that the schema alone answers."""

UNIQUE = "column_values.unique.unexpected_count"
COMPOUND_UNIQUE = "compound_columns.unique.unexpected_count"
"""A window, though Great Expectations declares it a plain condition."""
KEYS = frozenset({UNIQUE, COMPOUND_UNIQUE})

EXAMPLES = 3
"""How many examples of what is wrong Great Expectations is asked for."""

_FILTERS = "filters"


def runtime() -> dict[str, Any]:
    """Return how every suite is evaluated: with statistics, and with at most three examples.

    No queries for the unexpected rows: for a window, GX has Spark refuse one, which fills the
    driver's log.
    """
    wanted = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": EXAMPLES,
        "return_unexpected_index_query": False,
    }
    return {"result_format": wanted, "catch_exceptions": True}


class UnknownYet(Exception):
    """A number was used that only the data can tell."""


class _Unknown:
    """Stands for a number the data has yet to tell: it can be passed on, and nothing else."""

    def _refuse(self, *_: object) -> Any:
        raise UnknownYet

    __bool__ = __len__ = __iter__ = __int__ = __float__ = __neg__ = __abs__ = __getitem__ = (
        __getattr__
    ) = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = (
        __pow__
    ) = _refuse
    __hash__ = None  # type: ignore[assignment]  # as an object that defines __eq__ should


UNKNOWN = _Unknown()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a suite comes down to on data of one schema.

    :param metrics: the metrics that are an aggregate each, for witnesses that need no query.
    :param aggregates: how a query would answer each of them, by the metric's id.
    :param conditions: what Great Expectations' own conditions and aggregates are, by the metric's
        id: of data of the schema they are always the same.
    :param is_of_schema: whether what every expectation needs is known from the schema alone.
    """

    schema: StructType
    metrics: Sequence[Any]
    aggregates: Mapping[MetricId, Column]
    conditions: Mapping[MetricId, Any]
    is_of_schema: bool


class Filters:
    """Stands in for the frame where GX filters it, and keeps the conditions instead."""

    def __init__(self, frame: DataFrame, conditions: tuple[Column, ...] = ()) -> None:
        self.frame = frame
        self.conditions = conditions

    def filter(self, condition: Column | str) -> "Filters":
        """Keep one more condition."""
        column = F.expr(condition) if isinstance(condition, str) else condition
        return Filters(self.frame, (*self.conditions, column))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)


def predicate_of(engine: Engine, domain: Mapping[str, Any]) -> Column | None:
    """Return the condition on the rows that a metric's domain is; None if it is all of them.

    :param engine: one with a stand-in made by :func:`keep_filters`.
    """
    conditions = engine.get_domain_records({**domain, "batch_id": _FILTERS}).conditions
    if not conditions:
        return None
    predicate: Column = reduce(and_, conditions)
    return predicate


def keep_filters(engine: Engine, frame: DataFrame) -> None:
    """Have an engine keep the conditions that Great Expectations would filter ``frame`` by."""
    engine.stand_in(_FILTERS, Filters(frame))


class PlanningEngine(Engine):
    """Resolves metrics without data: keeps each aggregate asked for, and answers UNKNOWN."""

    def __init__(self, spark: SparkSession, frame: DataFrame) -> None:
        super().__init__(spark, "frame", frame)
        keep_filters(self, frame)
        self.metrics: dict[MetricId, Any] = {}
        self.planned: dict[MetricId, Column] = {}
        self.conditions: dict[MetricId, Any] = {}
        self.building = True
        self.asked = False

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: Any = None,
        runtime_configuration: Any = None,
    ) -> dict[MetricId, Any]:
        """Resolve what the schema answers, prepare what is lazy, and plan the rest.

        :raises UnknownYet: if the graph, still being built, depends on the data itself.
        """
        self.asked = True
        known = metrics or {}
        return {
            each.id: self._foresee(each, known, runtime_configuration)
            for each in metrics_to_resolve
        }

    def _foresee(self, metric: Any, metrics: Mapping[MetricId, Any], runtime: Any) -> Any:
        if self.building and metric.metric_name not in SCHEMA:
            raise UnknownYet(metric.metric_name)
        try:
            direct, bundled = self.prepared(metric, metrics, runtime)
            if bundled:
                self._plan(metric, bundled[0].metric_fn, bundled[0].compute_domain_kwargs)
                return UNKNOWN
            if metric.metric_name in SCHEMA:
                return _called(direct[0])
            if is_lazy(metric, self):
                return self._kept(metric, _called(direct[0]))
            self._plan_count(metric, metrics)
        except Exception:  # whatever GX or the suite's author raises is for judging to report
            return UNKNOWN
        return UNKNOWN

    def _kept(self, metric: Any, made: Any) -> Any:
        # Made without a number that only data can tell: it would have refused to be used.
        if is_own(metric, self):
            self.conditions[metric.id] = made
        return made

    def _plan_count(self, metric: Any, metrics: Mapping[MetricId, Any]) -> None:
        """Plan the counts for which GX would start a job per pair or list of columns."""
        name = metric.metric_name
        condition_metric = metric.metric_dependencies.get("unexpected_condition")
        counts_rows = name.endswith(".filtered_row_count")
        counts = counts_rows or name.endswith(".unexpected_count")
        if condition_metric is None or name in KEYS or not counts:
            return
        if not is_condition(condition_metric, self):
            return
        condition, compute, accessor = metrics[condition_metric.id]
        counted = F.lit(1) if counts_rows else F.when(condition, F.lit(1))
        self._plan(metric, F.count(counted), {**compute, **accessor})

    def _plan(self, metric: Any, aggregate: Column, domain: Mapping[str, Any]) -> None:
        column = within(aggregate, predicate_of(self, domain))
        if column is not None:
            self.metrics[metric.id] = metric
            self.planned[metric.id] = column


def _called(direct: Any) -> Any:
    return direct.metric_fn(**direct.metric_provider_kwargs)


def plan(spark: SparkSession, schema: StructType, configurations: Sequence[Any]) -> Plan:
    """Return what the expectations come down to on data of this schema; no job is started."""
    frame = spark.createDataFrame([], schema)
    engine = PlanningEngine(spark, frame)
    needs = [_edges(engine, configuration) for configuration in configurations]
    edges = list(chain.from_iterable(needs))
    engine.building = False
    engine.asked = False
    resolve(engine, edges, runtime())
    if edges and not engine.asked:
        log.warning("Great Expectations never called resolve_metrics; nothing could be planned")
    aggregates = analysed(frame, engine.planned)
    metrics = [engine.metrics[metric] for metric in aggregates]
    return Plan(
        schema=schema,
        metrics=metrics,
        aggregates=aggregates,
        conditions=engine.conditions,
        is_of_schema=all(needs) and all(map(is_own_expectation, configurations)),
    )


def _edges(engine: PlanningEngine, configuration: Any) -> Sequence[Any]:
    """Return what an expectation's metrics depend on; nothing if the data decides."""
    try:
        return edges_of(engine, configuration, runtime())
    except Exception:  # raised by GX or by the expectation's author; judging meets and reports it
        return ()
