"""Every name of Great Expectations that the gate uses; :mod:`graphs` alone imports it too.

Its public API judges a batch of a data context, alone and in its own pass. The gate needs the
metric graph behind that, which is promised to nobody: 1.24 is pinned. Each function says why its
names are borrowed and what is lost without them; ``tests/driver/test_borrowed.py`` touches every
one of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from traceback import format_exc
from typing import Any

from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.core.suite_parameters import is_suite_parameter
from great_expectations.exceptions import (
    GreatExpectationsError,
    MetricResolutionError,
    SuiteParameterError,
)
from great_expectations.execution_engine import SparkDFExecutionEngine
from great_expectations.execution_engine.sparkdf_batch_data import SparkDFBatchData
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.registry import (
    get_metric_provider,
    list_registered_expectation_implementations,
    register_core_expectations,
)
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView
from great_expectations.util import convert_to_json_serializable
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validation_graph import ValidationGraph
from great_expectations.validator.validation_statistics import calc_validation_statistics
from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "Engine",
    "ExpectationConfiguration",
    "GreatExpectationsError",
    "MetricId",
    "SuiteParameterError",
]

MetricId = tuple[Any, ...]

register_core_expectations()


class Engine(SparkDFExecutionEngine):  # type: ignore[misc]  # GX is untyped here
    """Great Expectations' engine over one frame, without a data context around it.

    Borrowed (``SparkDFBatchData``, ``load_batch_data``) because a batch else takes a context, a
    source and an asset; without it, GX would resolve the metrics itself, in a pass of its own.
    """

    rounds = 0
    """How often Great Expectations has asked for :meth:`compute_round`."""

    def __init__(self, spark: SparkSession, name: str, frame: DataFrame) -> None:
        super().__init__(spark=spark, persist=False)
        self.load_batch_data(name, SparkDFBatchData(self, frame))

    def stand_in(self, name: str, data: object) -> None:
        """Offer ``data`` as one more batch.

        Borrowed (``batch_data_cache``) because ``load_batch_data`` would make it the active batch;
        without it, the conditions of a filtered metric stay unknown, and so the metric.
        """
        self.batch_manager.batch_data_cache[name] = SparkDFBatchData(self, data)

    def prepared(
        self, metric: Any, metrics: Mapping[MetricId, Any], runtime: Any
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return how a metric would be computed: alone, or bundled with others into one query.

        Borrowed (``_build_direct_and_bundled_metric_computation_configurations``) because GX
        prepares and computes in one go; without it, no aggregate is known before the data is read.
        """
        built = self._build_direct_and_bundled_metric_computation_configurations(
            [metric], metrics, runtime
        )
        direct: Sequence[Any] = built[0]
        bundled: Sequence[Any] = built[1]
        return direct, bundled

    def compute_round(self, direct: Sequence[Any], bundled: Sequence[Any]) -> dict[MetricId, Any]:
        """Compute one round of metrics, as Great Expectations does; the gate overrides it."""
        values: dict[MetricId, Any]
        values = super()._process_direct_and_bundled_metric_computation_configurations(
            direct, bundled
        )
        return values

    def _process_direct_and_bundled_metric_computation_configurations(
        self,
        metric_fn_direct_configurations: Sequence[Any],
        metric_fn_bundle_configurations: Sequence[Any],
    ) -> dict[MetricId, Any]:
        """Hand the round over to :meth:`compute_round`.

        Borrowed (the name overridden) because GX computes all of a round again for each metric
        that fails in it; without it, judging is slower, and a crash passes for a verdict.
        """
        self.rounds += 1
        return self.compute_round(metric_fn_direct_configurations, metric_fn_bundle_configurations)


def is_lazy(metric: Any, engine: Engine) -> bool:
    """Tell whether a metric is a condition or an aggregate, which computes nothing by itself.

    Borrowed (``get_metric_provider``, ``metric_fn_type``, ``MetricPartialFunctionTypes``) because
    no public name tells a condition from a value; without it, planning would start Spark jobs.
    """
    return isinstance(_function_type(metric, engine), MetricPartialFunctionTypes)


def is_condition(metric: Any, engine: Engine) -> bool:
    """Tell whether a metric is a plain condition on each row.

    Borrowed (``MAP_CONDITION_FN``) because a window is declared beside it; without it, each pair
    or list of columns costs a job.
    """
    return _function_type(metric, engine) is MetricPartialFunctionTypes.MAP_CONDITION_FN


def _function_type(metric: Any, engine: Engine) -> Any:
    _, function = get_metric_provider(metric.metric_name, engine)
    return getattr(function, "metric_fn_type", None)


def is_own(metric: Any, engine: Engine) -> bool:
    """Tell whether a metric is Great Expectations' own, and not a custom one.

    Borrowed (``get_metric_provider``) because only the registry knows who brought a metric; without
    it, what a custom one makes of its data could be taken for what it makes of the next.
    """
    provider, _ = get_metric_provider(metric.metric_name, engine)
    return _is_own(provider)


def is_own_expectation(configuration: Any) -> bool:
    """Tell whether an expectation is Great Expectations' own, for the reason of :func:`is_own`."""
    return _is_own(type(configuration.to_domain_obj()))


def _is_own(made: Any) -> bool:
    return str(made.__module__).startswith("great_expectations.")


def dependencies(engine: Engine, configuration: Any, runtime: Any) -> Any:
    """Return the metrics that an expectation says it needs.

    Borrowed (``to_domain_obj``, ``get_validation_dependencies``) because only the expectation
    knows them; without it, nothing can be planned. It changes what it is given: hence the copy.
    """
    expectation = deepcopy(configuration).to_domain_obj()
    return expectation.get_validation_dependencies(engine, runtime)


def edges_of(engine: Engine, configuration: Any, runtime: Any) -> Sequence[Any]:
    """Return the metric graph of an expectation, edge by edge.

    Borrowed (``MetricsCalculator.build_metric_dependency_graph``) because a metric's own needs are
    known to its provider alone; without it, nothing can be planned.
    """
    wanted = dependencies(engine, configuration, runtime).get_metric_configurations()
    graph = MetricsCalculator(engine).build_metric_dependency_graph(wanted, runtime)
    edges: Sequence[Any] = graph.edges
    return edges


def resolve(engine: Engine, edges: Sequence[Any], runtime: Any) -> None:
    """Have ``engine`` resolve the metrics of a graph, round by round.

    Borrowed (``ValidationGraph.resolve``) because it knows the order of the rounds; without it,
    nothing can be planned.
    """
    ValidationGraph(engine, edges).resolve(runtime, show_progress_bars=False)


def count_beside(evidence: Any) -> MetricId:
    """Return the id of the count of unexpected rows that belongs to a metric which lists them.

    Borrowed (``MetricConfiguration``) because its id is a hash of its arguments; without it, a
    job looks for examples where the count says that there are none.
    """
    arguments = dict(evidence.metric_value_kwargs)
    arguments.pop("result_format", None)
    family = evidence.metric_name.rpartition(".")[0]
    name = f"{family}.unexpected_count"
    count: MetricId = MetricConfiguration(name, evidence.metric_domain_kwargs, arguments).id
    return count


def unresolved(metric: Any, error: Exception) -> Exception:
    """Return the error by which the metric graph learns that one metric could not be computed.

    Borrowed (``MetricResolutionError``) because the graph catches no other; without it, one broken
    expectation takes the whole suite down.
    """
    refusal: Exception = MetricResolutionError(message=str(error), failed_metrics=(metric,))
    return refusal


def broken_result(configuration: Any, error: Exception) -> Any:
    """Return the failed result of an expectation that raised ``error``, while it is handled.

    Borrowed (``ExpectationValidationResult``, ``ExceptionInfo``) because GX drops the whole suite
    when one expectation cannot say what it needs; without it, no verdict names the guilty one.
    """
    message = f"{type(error).__name__}: {error}"
    cause = ExceptionInfo(exception_traceback=format_exc(), exception_message=message)
    return ExpectationValidationResult(
        success=False, expectation_config=configuration, exception_info=cause
    )


def as_json(value: object) -> object:
    """Return a measured value as Great Expectations hands it from a metric to an expectation.

    Borrowed (``convert_to_json_serializable``) because its engine does so to each value; without
    it, the gate's answers differ from GX's own.
    """
    converted: object = convert_to_json_serializable(value)
    return converted


def known_types() -> Iterable[str]:
    """Return the expectation types there are, custom ones included.

    Borrowed (``list_registered_expectation_implementations``) because the error for an unknown
    type names no other; without it, a slip of the pen gets no hint.
    """
    known: Iterable[str] = list_registered_expectation_implementations()
    return known


def wanted_parameters(configuration: Any) -> dict[str, str]:
    """Return the names of the parameters that an expectation's arguments stand for.

    Borrowed (``is_suite_parameter``) because GX alone says what a parameter looks like; without
    it, the error for a missing one does not tell which argument wants it.
    """
    arguments = configuration.kwargs.items()
    return {key: value["$PARAMETER"] for key, value in arguments if is_suite_parameter(value)}


def fill(configuration: Any, parameters: Mapping[str, object]) -> None:
    """Put the values of ``parameters`` into an expectation's arguments.

    Borrowed (``process_suite_parameters``) because GX fills them in while it judges; without it,
    one that reads the clock differs between planning and judging.

    :raises SuiteParameterError: if a parameter is not offered, or cannot be evaluated.
    """
    configuration.process_suite_parameters(dict(parameters))


def html_of(name: str, results: Sequence[Any]) -> str:
    """Return the page that Data Docs shows of ``results``.

    Borrowed (``ValidationResultsPageRenderer``, ``DefaultJinjaPageView``,
    ``calc_validation_statistics``) because Data Docs are else built from a context's stores;
    without it, there is no page.
    """
    statistics = calc_validation_statistics(list(results))._asdict()
    success = statistics.pop("success")
    whole = ExpectationSuiteValidationResult(
        success=success,
        results=list(results),
        suite_name=name,
        statistics=statistics,
        meta={"run_id": {"run_name": name, "run_time": datetime.now(UTC).isoformat()}},
    )
    html: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(whole))
    return html
