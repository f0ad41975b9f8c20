"""The gate of a suite with expectations: planned beside the write, judged by what was written."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import RLock
from typing import Any

from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from tidegate.contract import Judgement, Suite, columns_of
from tidegate.driver.gate import metadata, texts
from tidegate.driver.gate.docs import page
from tidegate.driver.gate.document import exports_data_docs
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.gate.graphs import Graphs
from tidegate.driver.gate.gx import MetricId, dependencies
from tidegate.driver.gate.measure import FEW, measure
from tidegate.driver.gate.pii import check_pii
from tidegate.driver.gate.plan import Plan, plan, runtime
from tidegate.driver.gate.replay import ReplayEngine, replay
from tidegate.driver.gate.rows import RowRule
from tidegate.driver.gate.suite import configurations
from tidegate.driver.gate.verdict import judgement

_ONE_AT_A_TIME = RLock()
"""GX keeps one parameter parser per process and one temporary view per Spark session."""

_REPEATERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""PySpark's loggers that print each error a second time, caught or not."""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let one gate at a time work, and let the errors that it reports not be printed as well."""
    loggers = [PySparkLogger.getLogger(name) for name in _REPEATERS]
    with _ONE_AT_A_TIME:
        before = [each.disabled for each in loggers]
        try:
            for each in loggers:
                each.disabled = True
            yield
        finally:
            for each, was in zip(loggers, before, strict=True):
                each.disabled = was


class SuiteGate:
    """A suite's expectations, planned once for a schema and judged as often as there is data.

    :raises SpecError: as :func:`tidegate.driver.gate.open_gate` does.
    """

    def __init__(self, spark: SparkSession, suite: Suite, parameters: Mapping[str, object]) -> None:
        self._spark = spark
        self._suite = suite
        with _ONE_AT_A_TIME:
            self._configurations = configurations(suite, parameters)
        self._planning: Planning | None = None
        self._results: list[object] = []
        self._engine: ReplayEngine | None = None

    def plan(self, schema: StructType) -> None:
        """Plan the suite for data of this schema, in a thread of its own; return at once.

        :raises SpecError: if a ``pii`` name of the suite is none of its columns.
        """
        check_pii(self._suite, self._spark, schema)
        self._planned_for(schema)

    def judge(self, staged: DataFrame, facts: FileFacts | None = None) -> Judgement:
        """Judge what was written, asking the cheapest witness of each metric first.

        :raises Exception: what Spark raised, if the machinery broke down: a crash while judging is
            not a verdict.
        """
        planning = self._planned_for(staged.schema)
        planned = planning.result()
        graphs = planning.graphs if planned.is_of_schema else None
        with _undisturbed():
            answers = self._answers(planned, staged, facts)
            engine = ReplayEngine(self._spark, staged, facts, {**planned.conditions, **answers})
            self._results = replay(engine, self._configurations, graphs)
        self._engine = engine
        return judgement(self._suite, self._results, engine.columns())

    def data_docs(self) -> str:
        """Return the last judgement as Great Expectations' own HTML page, if the suite asks."""
        if not self._results or not exports_data_docs(self._suite):
            return ""
        return page(self._suite, self._results)

    def row_rules(self) -> list[RowRule]:
        """Return the critical rules that rows broke by themselves, of the last judgement.

        Who breaks a lesser rule is published with it.
        """
        engine = self._engine
        if engine is None or not engine.broken:
            return []
        entries = self._suite.document["expectations"]
        found: list[RowRule] = []
        with _undisturbed():
            for configuration, entry in zip(self._configurations, entries, strict=True):
                if entry.get("severity", "critical") == "critical":
                    found += _rules(engine, configuration)
        return found

    def _planned_for(self, schema: StructType) -> "Planning":
        if self._planning is None or not self._planning.is_for(schema):
            self._planning = Planning(self._plan, schema)
        return self._planning

    def _plan(self, schema: StructType) -> Plan:
        with _undisturbed():
            return plan(self._spark, schema, self._configurations)

    def _answers(
        self, planned: Plan, staged: DataFrame, facts: FileFacts | None
    ) -> dict[MetricId, object]:
        known: dict[MetricId, object] = {}
        if facts is not None:
            known = metadata.answers(planned.metrics, facts)
            left = [metric for metric in planned.metrics if metric.id not in known]
            known |= texts.answers(self._spark, left, planned.aggregates, facts)
            if facts.rows <= FEW:
                # The query is one of Spark's stages then, and not two.
                staged = staged.coalesce(1)
        asked = {id_: column for id_, column in planned.aggregates.items() if id_ not in known}
        return known | measure(staged, asked)


def _rules(engine: ReplayEngine, configuration: Any) -> Iterator[RowRule]:
    wanted = dependencies(engine, configuration, runtime()).get_metric_configurations()
    for metric in engine.broken.keys() & {each.id for each in wanted}:
        columns = columns_of(configuration.kwargs)
        yield RowRule(configuration.type, columns, engine.broken[metric])


class Planning:
    """A suite's plan on its way, for data of one schema."""

    def __init__(self, make: Callable[[StructType], Plan], schema: StructType) -> None:
        self._schema = schema
        self.graphs = Graphs()
        """What the expectations need, once they were asked."""
        aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self._future: Future[Plan] = aside.submit(make, schema)
        aside.shutdown(wait=False)

    def is_for(self, schema: StructType) -> bool:
        """Tell whether it is of this schema, whatever may be null in it."""
        return _types(schema) == _types(self._schema)

    def result(self) -> Plan:
        """Return the plan, waiting for it.

        :raises Exception: what planning raised.
        """
        return self._future.result()


def _types(schema: StructType) -> list[tuple[str, str]]:
    return [(column.name, column.dataType.simpleString()) for column in schema.fields]
