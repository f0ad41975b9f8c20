"""Planning: which aggregates a suite comes down to.

Great Expectations' own metric graph, run without data, says it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.gate.aggregates import admissible, as_try_sum, within
from tidegate.driver.gate.gx import (
    Engine,
    MetricId,
    as_json,
    edges_of,
    is_condition,
    is_lazy,
    resolve,
)

log = logging.getLogger(__name__)

SCHEMA = frozenset({"table.columns", "table.column_types", "table.column_count"})
"""Metrics that the schema alone answers."""

UNIQUE = "column_values.unique.unexpected_count"
_WINDOW = "compound_columns.unique.unexpected_count"  # though GX declares it a plain condition

ROWS = "rows"
"""The alias of our own row count."""

_FILTERS = "filters"
_COUNT = ".unexpected_count"
_ROWS = ".filtered_row_count"


def runtime() -> dict[str, Any]:
    """Return how every suite is evaluated: with statistics, and at most three examples.

    No queries for the unexpected rows: for a window, GX has Spark refuse one, which fills the
    driver's log.
    """
    wanted = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": 3,
        "return_unexpected_index_query": False,
    }
    return {"result_format": wanted, "catch_exceptions": True}


class UnknownYet(Exception):
    """A number was used that only the data can tell."""


class _Unknown:
    """Stands for a number the data has yet to tell; all but passing it on raises."""

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


@dataclass(frozen=True)
class Plan:
    """The aggregates that answer a suite's metrics, by alias, and the metric each one answers."""

    columns: Mapping[str, Column]
    metrics: Mapping[str, MetricId]
    sums: frozenset[str]

    def aggregates(self) -> list[Column]:
        """Return the aggregates as columns named by their alias, with a row count of our own."""
        return [
            F.count(F.lit(1)).alias(ROWS),
            *(column.alias(name) for name, column in self.columns.items()),
        ]

    def answers(self, measured: Mapping[str, object]) -> dict[MetricId, object]:
        """Return the value of each measured metric as Great Expectations would hand it on.

        A sum that came out NULL over some rows is left out: it may be an overflow, which is GX's
        own to meet.
        """
        told = set(self.columns)
        if measured[ROWS]:
            told -= {name for name in self.sums if measured[name] is None}
        return {self.metrics[name]: as_json(measured[name]) for name in told}


class _Filters:
    """Stands in for the frame where Great Expectations filters it; keeps the conditions instead."""

    def __init__(self, frame: DataFrame, conditions: tuple[Column, ...] = ()) -> None:
        self.frame = frame
        self.conditions = conditions

    def filter(self, condition: Column | str) -> "_Filters":
        """Keep one more condition."""
        if isinstance(condition, str):
            condition = F.expr(condition)
        return _Filters(self.frame, (*self.conditions, condition))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)


class PlanningEngine(Engine):
    """Resolves metrics without data: keeps each aggregate it is asked for, answers `UNKNOWN`."""

    def __init__(self, spark: SparkSession, frame: DataFrame) -> None:
        super().__init__(spark, "frame", frame)
        self.stand_in(_FILTERS, _Filters(frame))
        self.planned: dict[MetricId, Column] = {}
        self.sums: set[MetricId] = set()
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
            return self._prepare(metric, metrics, runtime)
        except Exception:  # GX's or the suite's author's: judging meets it again, and reports it
            return UNKNOWN

    def _prepare(self, metric: Any, metrics: Mapping[MetricId, Any], runtime: Any) -> Any:
        direct, bundled = self.prepared(metric, metrics, runtime)
        if bundled:
            self._plan(metric, bundled[0].metric_fn, bundled[0].compute_domain_kwargs)
            return UNKNOWN
        if metric.metric_name in SCHEMA or is_lazy(metric, self):
            return direct[0].metric_fn(**direct[0].metric_provider_kwargs)
        self._plan_count(metric, metrics)
        return UNKNOWN

    def _plan_count(self, metric: Any, metrics: Mapping[MetricId, Any]) -> None:
        """Plan a count for which GX would start a job per pair or list of columns."""
        name = metric.metric_name
        condition_metric = metric.metric_dependencies.get("unexpected_condition")
        if condition_metric is None or name == _WINDOW or not name.endswith((_ROWS, _COUNT)):
            return
        if not is_condition(condition_metric, self):
            return
        condition, compute, accessor = metrics[condition_metric.id]
        counted = F.when(condition, F.lit(1))
        if name.endswith(_ROWS):
            counted = F.lit(1)
        self._plan(metric, F.count(counted), {**compute, **accessor})

    def _plan(self, metric: Any, aggregate: Column, domain: Mapping[str, Any]) -> None:
        conditions = self.get_domain_records({**domain, "batch_id": _FILTERS}).conditions
        predicate = None
        if conditions:
            predicate = reduce(and_, conditions)
        careful = None
        if not metric.metric_name.endswith(_COUNT):  # that adds up ones, and cannot overflow
            careful = as_try_sum(aggregate)
        if careful is None:
            observable = within(aggregate, predicate)
        else:
            observable = within(careful, predicate)
        if observable is None:
            return
        self.planned[metric.id] = observable
        if careful is not None:
            self.sums.add(metric.id)


def plan(spark: SparkSession, frame: DataFrame, configurations: Sequence[Any]) -> Plan:
    """Return the aggregates over ``frame`` that expectations come down to; no job is started."""
    engine = PlanningEngine(spark, frame)
    edges: list[Any] = []
    for configuration in configurations:
        edges += _edges(engine, configuration)
    engine.building = False
    engine.asked = False
    resolve(engine, edges, runtime())
    if edges and not engine.asked:
        log.warning("Great Expectations never called resolve_metrics; the write measures nothing")
    named = {f"m{place}": metric for place, metric in enumerate(engine.planned)}
    columns = admissible(frame, {name: engine.planned[metric] for name, metric in named.items()})
    sums = [name for name in columns if named[name] in engine.sums]
    return Plan(columns, named, frozenset(sums))


def _edges(engine: PlanningEngine, configuration: Any) -> Sequence[Any]:
    """Return what an expectation's metrics depend on; nothing if the data decides."""
    try:
        return edges_of(engine, configuration, runtime())
    except Exception:  # GX's or the expectation's author's; judging meets it again, and reports it
        return ()
