"""Replay: the same metric graph again, answered from what the write measured.

The rest is asked of the staged data.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.gate.crash import is_crash
from tidegate.driver.gate.gx import (
    Engine,
    MetricId,
    broken_result,
    count_beside,
    dependencies,
    unresolved,
    validated,
)
from tidegate.driver.gate.plan import UNIQUE, runtime
from tidegate.driver.gate.unique import surely_unique

log = logging.getLogger(__name__)

_EVIDENCE = (".unexpected_values", ".unexpected_value_counts", ".unexpected_rows")


class ReplayEngine(Engine):
    """Answers what is known and computes the rest on the staged data.

    Each metric is computed once, and each failure is that metric's own.
    """

    def __init__(
        self, spark: SparkSession, staged: DataFrame, answers: Mapping[MetricId, object]
    ) -> None:
        super().__init__(spark, "staged", staged)
        self.answers: dict[MetricId, Any] = dict(answers)
        self.failures: dict[MetricId, Exception] = {}
        self.crash: Exception | None = None
        self._bypassed = False

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: Any = None,
        runtime_configuration: Any = None,
    ) -> dict[MetricId, Any]:
        """Return the metrics' values, computing those that nothing has answered yet.

        :raises MetricResolutionError: for one metric that cannot be computed.
        """
        wanted = list(metrics_to_resolve)
        unknown = [each for each in wanted if each.id not in self.answers]
        if unknown:
            self._compute_all(unknown, metrics, runtime_configuration)
        return {each.id: self.answers[each.id] for each in wanted}

    def _compute_all(
        self, unknown: Sequence[Any], metrics: Any, runtime_configuration: Any
    ) -> None:
        values = super().resolve_metrics(unknown, metrics, runtime_configuration)
        if self.rounds:
            return
        if not self._bypassed:
            log.warning(
                "Great Expectations never called compute_round; judging as slowly as it does"
            )
        self._bypassed = True
        self.answers.update(values)

    def columns(self) -> list[str]:
        """Return the names Great Expectations knows the staged columns by, nested ones included."""
        for (metric, *_), names in self.answers.items():
            if metric == "table.columns":
                return list(names)
        return list(self.dataframe.columns)

    def compute_round(self, direct: Sequence[Any], bundled: Sequence[Any]) -> dict[MetricId, Any]:
        """Compute each metric once; GX would compute a round again for each one that fails in it.

        :raises MetricResolutionError: for the first of them that cannot be computed.
        """
        self._bundle(bundled)
        for each in sorted(direct, key=_is_evidence):
            self._keep(each.metric_configuration, partial(self._compute, each))
        for each in (*direct, *bundled):
            metric = each.metric_configuration
            if error := self.failures.get(metric.id):
                raise unresolved(metric, error) from error
        return self.answers

    def _bundle(self, bundled: Sequence[Any]) -> None:
        open_ones = [each for each in bundled if each.metric_configuration.id not in self.failures]
        try:
            self.answers.update(self.resolve_metric_bundle(open_ones))
        except Exception:  # one of them; alone, each keeps its own error
            for each in open_ones:
                self._keep(each.metric_configuration, partial(self._alone, each))

    def _alone(self, bundled: Any) -> Any:
        return self.resolve_metric_bundle([bundled])[bundled.metric_configuration.id]

    def _keep(self, metric: Any, compute: Callable[[], Any]) -> None:
        if metric.id in self.failures:
            return
        try:
            self.answers[metric.id] = compute()
        except Exception as error:  # GX, Spark and custom expectations raise anything: it is theirs
            self.failures[metric.id] = error
            if is_crash(error, self.spark):
                self.crash = self.crash or error

    def _compute(self, direct: Any) -> Any:
        if self.crash:
            raise self.crash
        metric = direct.metric_configuration
        if _is_evidence(direct) and self._nothing_unexpected(metric):
            return []
        arguments = direct.metric_provider_kwargs
        if metric.metric_name == UNIQUE and self._surely_unique(arguments["metrics"]):
            return 0
        return direct.metric_fn(**arguments)

    def _nothing_unexpected(self, evidence: Any) -> bool:
        """Tell whether an expectation that asks for evidence is known to have none."""
        return self.answers.get(count_beside(evidence), 1) in {0, None}

    def _surely_unique(self, metrics: Mapping[str, Any]) -> bool:
        _, compute, accessor = metrics["unexpected_condition"]
        return surely_unique(self.get_domain_records({**compute, **accessor}), accessor["column"])


def _is_evidence(direct: Any) -> bool:
    return bool(direct.metric_configuration.metric_name.endswith(_EVIDENCE))


def replay(engine: ReplayEngine, configurations: Sequence[Any]) -> list[Any]:
    """Return Great Expectations' own result of every expectation, in their order.

    :raises Exception: what Spark raised, if the infrastructure rather than the data or the suite
        broke the judging.
    """
    broken = {}
    for each in configurations:
        if result := _unanswerable(engine, each):
            broken[each.id] = result
    sound = [each for each in configurations if each.id not in broken]
    judged = {each.expectation_config.id: each for each in validated(engine, sound, runtime())}
    if engine.crash:
        raise engine.crash
    return [{**broken, **judged}[each.id] for each in configurations]


def _unanswerable(engine: ReplayEngine, configuration: Any) -> Any:
    """Return the failed result of an expectation that cannot even say what it needs."""
    try:
        dependencies(engine, configuration, runtime())
    except Exception as error:  # GX's or its author's; GX itself would drop the whole suite
        return broken_result(configuration, error)
    return None
