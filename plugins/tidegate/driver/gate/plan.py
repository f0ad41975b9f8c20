"""Planning: Great Expectations' own metric graph, run without data, says which aggregates a suite comes down to."""

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

SCHEMA = frozenset({"table.columns", "table.column_types", "table.column_count"})
"""Metrics that the schema alone answers."""

UNIQUE = "column_values.unique.unexpected_count"
_WINDOW = "compound_columns.unique.unexpected_count"  # though GX declares it a plain condition

ROWS = "rows"
"""The alias of our own row count."""

_FILTERS = "filters"


def runtime() -> dict[str, Any]:
    """Return how every suite is evaluated: with statistics, and with at most three examples of what is wrong.

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
    """Stands for a number the data has yet to tell; whatever is done with it but passing it on raises."""

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
    """The aggregates that answer a suite's metrics, by alias, and the metric that each one answers."""

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
        doubtful = self.sums if measured[ROWS] else frozenset()
        return {
            self.metrics[name]: as_json(measured[name])
            for name in self.columns
            if measured[name] is not None or name not in doubtful
        }


class _Filters:
    """Stands in for the frame where Great Expectations filters it, and keeps the conditions instead."""

    def __init__(self, frame: DataFrame, conditions: tuple[Column, ...] = ()) -> None:
        self.frame = frame
        self.conditions = conditions

    def filter(self, condition: Column | str) -> "_Filters":
        """Keep one more condition."""
        column = F.expr(condition) if isinstance(condition, str) else condition
        return _Filters(self.frame, (*self.conditions, column))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)


class PlanningEngine(Engine):
    """Resolves metrics without data: keeps each aggregate it is asked for, and answers :data:`UNKNOWN`."""

    def __init__(self, spark: SparkSession, frame: DataFrame) -> None:
        super().__init__(spark, "frame", frame)
        self.stand_in(_FILTERS, _Filters(frame))
        self.planned: dict[MetricId, Column] = {}
        self.sums: set[MetricId] = set()
        self.building = True

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: Any = None,
        runtime_configuration: Any = None,
    ) -> dict[MetricId, Any]:
        """Resolve what the schema answers, prepare what is lazy, and plan the rest.

        :raises UnknownYet: if the graph, still being built, depends on the data itself.
        """
        return {
            each.id: self._foresee(each, metrics or {}, runtime_configuration)
            for each in metrics_to_resolve
        }

    def _foresee(self, metric: Any, metrics: Mapping[MetricId, Any], runtime: Any) -> Any:
        if self.building and metric.metric_name not in SCHEMA:
            raise UnknownYet(metric.metric_name)
        try:
            direct, bundled = self.prepared(metric, metrics, runtime)
            if bundled:
                self._plan(metric, bundled[0].metric_fn, bundled[0].compute_domain_kwargs)
            elif metric.metric_name in SCHEMA or is_lazy(metric, self):
                return direct[0].metric_fn(**direct[0].metric_provider_kwargs)
            else:
                self._plan_count(metric, metrics)
        except (
            Exception
        ):  # whatever GX or the suite's author raises is for judging to report, not for planning
            return UNKNOWN
        return UNKNOWN

    def _plan_count(self, metric: Any, metrics: Mapping[MetricId, Any]) -> None:
        """Plan the counts for which Great Expectations would start a job per pair or list of columns."""
        condition_metric = metric.metric_dependencies.get("unexpected_condition")
        counts_rows = metric.metric_name.endswith(".filtered_row_count")
        if (
            condition_metric is None
            or metric.metric_name == _WINDOW
            or not (counts_rows or metric.metric_name.endswith(".unexpected_count"))
        ):
            return
        if not is_condition(condition_metric, self):
            return
        condition, compute, accessor = metrics[condition_metric.id]
        counted = F.lit(1) if counts_rows else F.when(condition, F.lit(1))
        self._plan(metric, F.count(counted), {**compute, **accessor})

    def _plan(self, metric: Any, aggregate: Column, domain: Mapping[str, Any]) -> None:
        conditions = self.get_domain_records({**domain, "batch_id": _FILTERS}).conditions
        predicate = reduce(and_, conditions) if conditions else None
        adds_ones = metric.metric_name.endswith(".unexpected_count")
        careful = None if adds_ones else as_try_sum(aggregate)
        observable = within(aggregate if careful is None else careful, predicate)
        if observable is not None:
            self.planned[metric.id] = observable
            if careful is not None:
                self.sums.add(metric.id)


def plan(spark: SparkSession, frame: DataFrame, configurations: Sequence[Any]) -> Plan:
    """Return the aggregates over ``frame`` that the expectations come down to; no job is started."""
    engine = PlanningEngine(spark, frame)
    edges = [edge for configuration in configurations for edge in _edges(engine, configuration)]
    engine.building = False
    resolve(engine, edges, runtime())
    named = {f"m{place}": metric for place, metric in enumerate(engine.planned)}
    columns = admissible(frame, {name: engine.planned[metric] for name, metric in named.items()})
    return Plan(columns, named, frozenset(name for name in columns if named[name] in engine.sums))


def _edges(engine: PlanningEngine, configuration: Any) -> Sequence[Any]:
    """Return what an expectation's metrics depend on; nothing if the data decides."""
    try:
        return edges_of(engine, configuration, runtime())
    except Exception:  # GX's or the expectation's author's; judging meets it again, and reports it
        return ()
