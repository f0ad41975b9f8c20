"""Replay: the same metric graph again, answered by the witnesses in their order.

What the metadata and the one query answered is known already; here come the keys, the examples of
all guilty rules together, and last what only Great Expectations' own code can compute.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import filterfalse
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.gate import evidence
from tidegate.driver.gate.crash import is_crash
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.gate.graphs import Graphs, validated
from tidegate.driver.gate.gx import (
    Engine,
    MetricId,
    broken_result,
    count_beside,
    dependencies,
    unresolved,
)
from tidegate.driver.gate.keys import Bounds, Repeated, is_whole, repeated, sized
from tidegate.driver.gate.plan import (
    EXAMPLES,
    KEYS,
    UNIQUE,
    keep_filters,
    runtime,
)
from tidegate.driver.gate.quantiles import Quantiles, is_quantile

log = logging.getLogger(__name__)

_EVIDENCE = (".unexpected_values", ".unexpected_value_counts", ".unexpected_rows")
_DISTINCT = "column.distinct_values"
"""Metrics that shuffle a column once, to sets or counts, in whatever order."""
_QUANTILES = "quantiles"


class ReplayEngine(Engine):
    """Answers what is known and computes the rest on the staged data.

    Each metric is computed once, and each failure is that metric's own.

    :param facts: what the files' own metadata say, if anything.
    :param answers: what is known already, by the id of the metric.
    """

    def __init__(
        self,
        spark: SparkSession,
        staged: DataFrame,
        facts: FileFacts | None,
        answers: Mapping[MetricId, object],
    ) -> None:
        super().__init__(spark, "frame", staged)
        keep_filters(self, staged)
        self.answers: dict[MetricId, Any] = dict(answers)
        self.failures: dict[MetricId, Exception] = {}
        self.crash: Exception | None = None
        self.broken: dict[MetricId, Column] = {}
        """What rows that broke a rule by themselves are told by, of each rule that some broke."""
        self._facts = facts or FileFacts(rows=0)
        self._repeated: dict[MetricId, Repeated] = {}
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
        self._quantiles(list(filter(is_quantile, direct)))
        for each in filterfalse(_is_evidence, direct):
            self._keep(each.metric_configuration, partial(self._compute, each))
        self._examples(list(filter(_is_evidence, direct)))
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
        if metric.id in self.failures or metric.id in self.answers:
            return
        try:
            self.answers[metric.id] = compute()
        except Exception as error:  # GX, Spark and custom expectations raise anything: it is theirs
            self.failures[metric.id] = error
            self._note_crash(error)

    def _quantiles(self, asked: Sequence[Any]) -> None:
        """Compute the quantiles of all columns together."""
        if not asked:
            return
        together = Quantiles(self.dataframe)
        self.stand_in(_QUANTILES, together)
        for each in asked:
            with suppress(Exception):  # it asks, or whatever else is wrong with it is met below
                self._of_stand_in(each)
        try:
            together.compute()
        except Exception as error:  # one of them is no number; alone, each keeps its own error
            self._note_crash(error)
            return
        for each in asked:
            self._keep(each.metric_configuration, partial(self._of_stand_in, each))

    def _of_stand_in(self, direct: Any) -> Any:
        arguments = direct.metric_provider_kwargs
        domain = arguments["metric_domain_kwargs"] | {"batch_id": _QUANTILES}
        return direct.metric_fn(**(arguments | {"metric_domain_kwargs": domain}))

    def _note_crash(self, error: Exception) -> None:
        if is_crash(error, self.spark):
            self.crash = self.crash or error

    def _compute(self, direct: Any) -> Any:
        if self.crash:
            raise self.crash
        metric = direct.metric_configuration
        if metric.metric_name in KEYS:
            return self._count_repeated(direct)
        rows = None
        if metric.metric_name.startswith(_DISTINCT):
            rows = self._facts.rows or None
        with sized(self.spark, rows):
            return direct.metric_fn(**direct.metric_provider_kwargs)

    # -- keys ----------------------------------------------------------------------------------

    def _count_repeated(self, direct: Any) -> Any:
        """Return how many rows share their key with another, and keep the first of them."""
        metric = direct.metric_configuration
        _, compute, accessor = direct.metric_provider_kwargs["metrics"]["unexpected_condition"]
        rows = self.get_domain_records({**compute, **accessor})
        if metric.metric_name == UNIQUE:
            keys = [F.col(accessor["column"])]
            bounds = self._bounds(rows, accessor["column"])
        else:
            keys = [F.col(name) for name in accessor["column_list"]]
            bounds = None
        count = self._facts.rows if self._facts else None
        if bounds is not None:
            count = bounds.count
        found = repeated(rows, keys, bounds, count, EXAMPLES)
        self._repeated[metric.id] = found
        return found.rows

    def _bounds(self, rows: DataFrame, name: str) -> Bounds | None:
        key = F.col(name)
        if not is_whole(rows, key):
            return None
        known = self._facts.columns.get(name)
        if known and isinstance(known.low, int) and isinstance(known.high, int):
            # Of all rows: where a condition leaves some out, the bounds are only the wider.
            return Bounds(known.low, known.high, self._facts.rows - known.nulls)
        low, high, count = rows.agg(F.min(key), F.max(key), F.count(key)).collect()[0]
        return Bounds(low or 0, high or 0, count)

    # -- examples ------------------------------------------------------------------------------

    def _examples(self, asked: Sequence[Any]) -> None:
        """Answer what asks for examples: together where that can be, and else one by one."""
        together: list[evidence.Guilty] = []
        for each in asked:
            metric = each.metric_configuration
            if self._nothing_unexpected(metric):
                self.answers[metric.id] = []
            elif count_beside(metric) in self._repeated:
                self.answers[metric.id] = self._keys_shown(metric)
            elif guilty := self._guilty(each):
                together.append(guilty)
                self.broken[metric.id] = guilty.broken
        if together and not self.crash:
            self._look_at(together)
        for each in asked:
            metric = each.metric_configuration
            if metric.id not in self.answers:
                self._keep(metric, partial(self._compute, each))

    def _look_at(self, together: Sequence[evidence.Guilty]) -> None:
        try:
            self.answers.update(evidence.examples(self.dataframe, together))
        except Exception as error:  # one of them; Great Expectations then asks for each alone
            self._note_crash(error)

    def _nothing_unexpected(self, metric: Any) -> bool:
        """Tell whether an expectation that asks for evidence is known to have none."""
        return self.answers.get(count_beside(metric), 1) in {0, None}

    def _keys_shown(self, metric: Any) -> list[Any]:
        shown = self._repeated[count_beside(metric)].keys
        names = metric.metric_domain_kwargs.get("column_list")
        if names is None:
            return [key for (key,) in shown]
        return [dict(zip(names, key, strict=True)) for key in shown]

    def _guilty(self, direct: Any) -> evidence.Guilty | None:
        count = self.answers.get(count_beside(direct.metric_configuration))
        if not isinstance(count, int):
            return None
        return evidence.guilty_of(self, direct, count)


def _is_evidence(direct: Any) -> bool:
    return bool(direct.metric_configuration.metric_name.endswith(_EVIDENCE))


def replay(
    engine: ReplayEngine, configurations: Sequence[Any], graphs: Graphs | None = None
) -> list[Any]:
    """Return Great Expectations' own result of every expectation, in their order.

    :param graphs: what the expectations need, kept from one judgement to the next; None to have
        each find it out anew.
    :raises Exception: what Spark raised, if the infrastructure rather than the data or the suite
        broke the judging.
    """
    try:
        found = validated(engine, configurations, runtime(), graphs or Graphs())
    except Exception:  # one that cannot even say what it needs; GX then drops the whole suite
        found = _each_answerable(engine, configurations)
    if engine.crash:
        raise engine.crash
    results = {each.expectation_config.id: each for each in found}
    return [results[each.id] for each in configurations]


def _each_answerable(engine: ReplayEngine, configurations: Sequence[Any]) -> list[Any]:
    # Only now: to ask each for its needs takes as long as to judge by metrics that are known.
    broken = {each.id: _unanswerable(engine, each) for each in configurations}
    sound = [each for each in configurations if broken[each.id] is None]
    told = [each for each in broken.values() if each is not None]
    return [*told, *validated(engine, sound, runtime(), Graphs())]


def _unanswerable(engine: ReplayEngine, configuration: Any) -> Any:
    """Return the failed result of an expectation that cannot even say what it needs."""
    try:
        dependencies(engine, configuration, runtime())
    except Exception as error:  # GX's or its author's; GX itself would drop the whole suite
        return broken_result(configuration, error)
    return None
