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
_FEW = ("no row", "one row", "more than one row")
"""How many rows a frame has, once no more than two of them are read."""


def produce(run: Run, offered: Mapping[str, object]) -> Trained:
    """Call a train job and return the model it fitted, with its metrics.

    NaN and infinity are metrics as well: they are for the suite to judge.

    :raises SpecError: if ``run`` returns anything but a fitted model and at least one numeric
        metric.
    """
    spark = offered.get("spark")  # the job's own; another may be the active one
    if not isinstance(spark, SparkSession):
        spark = SparkSession.active()
    with _arrow(spark):
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
    if isinstance(model, Estimator):
        name = type(model).__name__
        raise SpecError(
            f"run returned an unfitted {name} as its model; return what {name}.fit(...) returns"
        )
    _require_fitted_estimator(model)


def _require_fitted_estimator(model: object) -> None:
    neither = f"run returned {_named(model)} as its model; {_PAIR}, where model is {_MODEL}"
    try:
        from sklearn.base import BaseEstimator
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted
    except ImportError:
        # Where scikit-learn is not installed, no model is one of its own: that is all it says.
        raise SpecError(neither, quote="") from None
    if not isinstance(model, BaseEstimator):
        raise SpecError(neither)
    name = type(model).__name__
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError) as unfitted:
        # A TypeError is what an estimator without fit() gets: no more of a model than an unfitted.
        raise SpecError(
            f"run returned an unfitted {name} as its model; call {name}.fit(...) first",
            quote="",
        ) from unfitted


def _numbers(metrics: object) -> dict[str, float]:
    row = dict(_cells(metrics))
    if not row:
        raise SpecError(
            f"run returned no metrics ({_named(metrics)} is empty); a gate needs at least one: "
            f"{_METRICS}"
        )
    nameless = [key for key in row if not isinstance(key, str)]
    if nameless:
        raise SpecError(
            f"run returned metrics named {nameless}; a metric's name is a str: {_METRICS}"
        )
    numbers: dict[str, float] = {}
    odd: list[str] = []
    for key, value in row.items():
        if isinstance(value, Real | Decimal) and not isinstance(value, bool):
            numbers[str(key)] = float(value)
        else:
            odd.append(f"{str(key)!r} is {_named(value)}")
    if odd:
        raise SpecError(
            f"run returned metrics that are no numbers: {', '.join(odd)}; convert them with "
            "float(...) or drop them"
        )
    return numbers


def _cells(metrics: object) -> Sequence[tuple[object, object]]:
    import pandas as pd

    if isinstance(metrics, Mapping):
        return list(metrics.items())
    if isinstance(metrics, DataFrame):
        rows = metrics.limit(2).collect()
        _require_one(metrics, len(rows), _FEW[len(rows)])
        return list(rows[0].asDict().items())
    if isinstance(metrics, pd.DataFrame):
        _require_one(metrics, len(metrics), f"{len(metrics)} rows")
        return list(metrics.iloc[0].to_dict().items())
    raise SpecError(
        f"run returned {_named(metrics)} as its metrics; {_PAIR}, where metrics is {_METRICS}"
    )


def _require_one(metrics: object, rows: int, told: str) -> None:
    if rows != 1:
        raise SpecError(
            f"run returned {_named(metrics)} of {told} as its metrics; return {_METRICS}"
        )


def _named(value: object) -> str:
    if value is None:
        return "None"
    return f"a {type(value).__name__}"
