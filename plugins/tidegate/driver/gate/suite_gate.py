"""The gate of a suite with expectations: measure while writing, then judge the measures."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock

from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, Observation, SparkSession

from tidegate.contract import Judgement, Suite
from tidegate.driver.gate.docs import page
from tidegate.driver.gate.gx import MetricId
from tidegate.driver.gate.observation import observe, read
from tidegate.driver.gate.pii import check_pii
from tidegate.driver.gate.plan import ROWS, Plan, plan
from tidegate.driver.gate.replay import ReplayEngine, replay
from tidegate.driver.gate.suite import configurations
from tidegate.driver.gate.verdict import judgement

log = logging.getLogger(__name__)

_ONE_AT_A_TIME = RLock()
"""GX keeps one parameter parser per process and one temporary view per Spark session."""

_READS_AGAIN = "suite=%s reads what was written a second time: %s"

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
    """A suite's expectations, planned on a frame before its write and judged after it.

    :raises SpecError: as :func:`tidegate.driver.gate.open_gate` does.
    """

    patience = 30.0
    """Seconds to wait for an observation after its write returned; some plans never deliver one."""

    def __init__(self, spark: SparkSession, suite: Suite, parameters: Mapping[str, object]) -> None:
        self._spark = spark
        self._suite = suite
        with _ONE_AT_A_TIME:
            self._configurations = configurations(suite, parameters)
        self._planned: tuple[Plan, Observation] | None = None
        self._results: list[object] = []

    def observe(self, frame: DataFrame) -> DataFrame:
        """Attach the suite's aggregates to ``frame``; the write must follow at once, unsorted."""
        check_pii(self._suite, frame)
        with _undisturbed():
            planned = plan(self._spark, frame, self._configurations)
        if not planned.columns:
            return frame
        observed, observation = observe(frame, planned.aggregates())
        self._planned = planned, observation
        return observed

    def judge(self, staged: DataFrame, rows: int | None = None) -> Judgement:
        """Judge what was written, reading ``staged`` only for what the write did not measure.

        :raises Exception: what Spark raised, if the machinery broke down: a crash while judging is
            not a verdict.
        """
        with _undisturbed():
            answers = self._observed(rows)
            if answers is None:
                answers = self._measured(staged)
            engine = ReplayEngine(self._spark, staged, answers)
            self._results = replay(engine, self._configurations)
        return judgement(self._suite, self._results, engine.columns())

    def data_docs(self) -> str:
        """Return the last judgement as Great Expectations' own HTML page, if one was given."""
        if not self._results:
            return ""
        return page(self._suite, self._results)

    def _observed(self, rows: int | None) -> Mapping[MetricId, object] | None:
        if self._planned is None:
            return None
        planned, observation = self._planned
        measured = read(observation, self.patience)
        if measured is None:
            log.warning(_READS_AGAIN, self._suite.name, "the write delivered no observation")
            return None
        counted = measured[ROWS]
        if rows is not None and counted != rows:  # a sorted write counts twice
            told = f"the write counted {counted} rows, the store {rows}"
            log.warning(_READS_AGAIN, self._suite.name, told)
            return None
        return planned.answers(measured)

    def _measured(self, staged: DataFrame) -> Mapping[MetricId, object]:
        """Measure the staged data as the write would have: in one pass, one job."""
        planned = plan(self._spark, staged, self._configurations)
        (measured,) = staged.agg(*planned.aggregates()).collect()
        return planned.answers(measured.asDict(recursive=False))
