"""The train kind: a job that fits a model and measures it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from numbers import Real

from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.kinds.job import Run, call_by_name
from tidegate.driver.registry.trained import Trained
from tidegate.errors import SpecError

_ARROW = "spark.sql.execution.arrow.pyspark.enabled"
_PAIR = "a train job returns (model, metrics)"
_MODEL = "a fitted pyspark.ml model or a fitted scikit-learn estimator"
_METRICS = "a dict of numbers by name, or a DataFrame of one row"


def produce(run: Run, offered: Mapping[str, object]) -> Trained:
    """Call a train job and return the model it fitted, with its metrics; NaN and infinity are for the suite to judge.

    :raises SpecError: if ``run`` returns anything but a fitted model and at least one numeric
        metric.
    """
    spark = offered.get("spark")  # the job's own; another may be the active one
    with _arrow(spark if isinstance(spark, SparkSession) else SparkSession.active()):
        model, metrics = _pair(call_by_name(run, offered))
        _require_fitted(model)
        return Trained(model, _numbers(metrics))


@contextmanager
def _arrow(spark: SparkSession) -> Iterator[None]:
    # Without Arrow, toPandas() pickles row by row: many times the time and memory.
    before = spark.conf.get(_ARROW)
    spark.conf.set(_ARROW, "true")
    try:
        yield
    finally:
        spark.conf.set(_ARROW, str(before))


def _pair(returned: object) -> tuple[object, object]:
    if not isinstance(returned, tuple | list):
        raise SpecError(f"run returned {_named(returned)} alone; {_PAIR}: {_MODEL}, and {_METRICS}")
    if len(returned) != 2:
        raise SpecError(f"run returned {len(returned)} values; {_PAIR}: {_MODEL}, and {_METRICS}")
    return returned[0], returned[1]


def _require_fitted(model: object) -> None:
    from pyspark.ml import Estimator, Model

    if isinstance(model, Model):
        return
    name = type(model).__name__
    if isinstance(model, Estimator):
        raise SpecError(
            f"run returned an unfitted {name} as its model; return what {name}.fit(...) returns"
        )
    try:
        from sklearn.base import BaseEstimator
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted
    except ImportError:
        raise SpecError(
            f"run returned {_named(model)} as its model; {_PAIR}, where model is {_MODEL}"
        ) from None
    if not isinstance(model, BaseEstimator):
        raise SpecError(
            f"run returned {_named(model)} as its model; {_PAIR}, where model is {_MODEL}"
        )
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError) as unfitted:
        raise SpecError(
            f"run returned an unfitted {name} as its model; call {name}.fit(...) first"
        ) from unfitted


def _numbers(metrics: object) -> dict[str, float]:
    row = dict(_cells(metrics))
    if not row:
        raise SpecError(
            f"run returned no metrics ({_named(metrics)} is empty); a gate needs at least one: {_METRICS}"
        )
    if nameless := [key for key in row if not isinstance(key, str)]:
        raise SpecError(
            f"run returned metrics named {nameless}; a metric's name is a str: {_METRICS}"
        )
    if odd := {str(key): _named(value) for key, value in row.items() if not _is_number(value)}:
        told = ", ".join(f"{key!r} is {kind}" for key, kind in odd.items())
        raise SpecError(
            f"run returned metrics that are no numbers: {told}; convert them with float(...) or drop them"
        )
    return {
        str(key): float(value) for key, value in row.items() if isinstance(value, Real | Decimal)
    }


def _cells(metrics: object) -> Sequence[tuple[object, object]]:
    import pandas as pd

    if isinstance(metrics, Mapping):
        return list(metrics.items())
    if isinstance(metrics, DataFrame):
        rows = metrics.limit(2).collect()
        _require_one(metrics, "no row" if not rows else "more than one row", len(rows) == 1)
        return list(rows[0].asDict().items())
    if isinstance(metrics, pd.DataFrame):
        _require_one(metrics, f"{len(metrics)} rows", len(metrics) == 1)
        return list(metrics.iloc[0].to_dict().items())
    raise SpecError(
        f"run returned {_named(metrics)} as its metrics; {_PAIR}, where metrics is {_METRICS}"
    )


def _require_one(metrics: object, seen: str, one: bool) -> None:
    if not one:
        raise SpecError(
            f"run returned {_named(metrics)} of {seen} as its metrics; return {_METRICS}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _named(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
