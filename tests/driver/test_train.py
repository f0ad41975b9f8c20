"""The train kind, with real Spark ML and real scikit-learn."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression
from pyspark.sql import DataFrame, SparkSession
from sklearn.linear_model import LinearRegression as PlainRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tidegate.driver.kinds.job import load_run
from tidegate.driver.kinds.train import produce
from tidegate.driver.registry.trained import Trained
from tidegate.errors import SpecError

ARROW = "spark.sql.execution.arrow.pyspark.enabled"
FITTED = PlainRegression().fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0])


@pytest.fixture(scope="module")
def points(spark: SparkSession) -> DataFrame:
    return spark.range(20).selectExpr("double(id) AS x", "double(id) * 2 + 1 AS y")


def pipeline() -> Pipeline:
    return Pipeline(
        stages=[
            VectorAssembler(inputCols=["x"], outputCol="features"),
            LinearRegression(labelCol="y"),
        ]
    )


def returning(*values: object) -> object:
    """A job that returns ``values``: one alone, several as a tuple."""
    return lambda: values if len(values) != 1 else values[0]


def refusal(run: object) -> str:
    with pytest.raises(SpecError) as refused:
        produce(run, {})
    return str(refused.value)


def test_a_spark_pipeline_and_a_dict_of_metrics(points: DataFrame) -> None:
    def run(points: DataFrame) -> tuple[object, dict[str, float]]:
        model = pipeline().fit(points)
        return model, {
            "rmse": model.stages[-1].summary.rootMeanSquaredError,
            "rows": points.count(),
        }

    trained = produce(run, {"points": points})

    assert trained.model.stages[-1].coefficients[0] == pytest.approx(2.0)
    assert trained.metrics == {"rmse": pytest.approx(0.0, abs=1e-6), "rows": 20.0}
    assert all(type(value) is float for value in trained.metrics.values())


def test_a_scikit_learn_job_file_gets_spark_and_params_and_arrow(
    points: DataFrame, tmp_path: Path
) -> None:
    job = tmp_path / "train_line.py"
    job.write_text(
        "from sklearn.linear_model import Ridge\n"
        "def run(points, spark, params):\n"
        "    frame = points.toPandas()\n"
        f"    arrow = spark.conf.get({ARROW!r})\n"
        "    model = Ridge(alpha=params['alpha']).fit(frame[['x']], frame['y'])\n"
        "    r2 = model.score(frame[['x']], frame['y'])\n"
        "    return model, {'r2': r2, 'arrow': float(arrow == 'true')}\n"
    )
    spark = points.sparkSession
    before = spark.conf.get(ARROW)
    spark.conf.set(ARROW, "false")
    try:
        trained = produce(
            load_run(str(job)), {"points": points, "spark": spark, "params": {"alpha": 0.1}}
        )
        assert spark.conf.get(ARROW) == "false"
    finally:
        spark.conf.set(ARROW, before)

    assert trained.metrics["arrow"] == 1.0
    assert trained.metrics["r2"] == pytest.approx(1.0, abs=1e-3)


def test_arrow_is_restored_after_a_job_that_raised(spark: SparkSession) -> None:
    def run(spark: SparkSession) -> None:
        assert spark.conf.get(ARROW) == "true"
        raise ZeroDivisionError("the job's own")

    before = spark.conf.get(ARROW)
    spark.conf.set(ARROW, "false")
    try:
        with pytest.raises(ZeroDivisionError, match="the job's own"):
            produce(run, {"spark": spark})
        assert spark.conf.get(ARROW) == "false"
    finally:
        spark.conf.set(ARROW, before)


def test_metrics_may_be_a_spark_frame_of_one_row(points: DataFrame) -> None:
    frame = points.selectExpr(
        "avg(y) AS mean", "count(*) AS rows", "CAST(1.25 AS DECIMAL(4, 2)) AS cost"
    )
    assert produce(returning(FITTED, frame), {}).metrics == {
        "mean": 20.0,
        "rows": 20.0,
        "cost": 1.25,
    }


def test_metrics_may_be_a_pandas_frame_of_one_row(spark: SparkSession) -> None:
    frame = pd.DataFrame({"rmse": [0.5], "rows": [7]})
    assert produce(returning(FITTED, frame), {}).metrics == {"rmse": 0.5, "rows": 7.0}


def test_metrics_may_be_numpy_numbers_and_decimals(spark: SparkSession) -> None:
    metrics = {"a": np.float32(0.25), "b": np.int64(3), "c": Decimal("1.5")}
    assert produce(returning(FITTED, metrics), {}).metrics == {"a": 0.25, "b": 3.0, "c": 1.5}


def test_nan_and_infinity_are_left_for_the_suite_to_judge(spark: SparkSession) -> None:
    metrics = produce(returning(FITTED, {"nan": float("nan"), "inf": np.inf}), {}).metrics
    assert math.isnan(metrics["nan"])
    assert metrics["inf"] == math.inf


def test_a_fitted_scikit_learn_pipeline_is_a_model(spark: SparkSession) -> None:
    model = make_pipeline(StandardScaler(), PlainRegression()).fit([[1.0], [2.0]], [1.0, 2.0])
    assert produce(returning(model, {"r2": 1}), {}) == Trained(model, {"r2": 1.0})


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (returning(FITTED), "run returned a LinearRegression alone"),
        (returning(None), "run returned None alone"),
        (returning(FITTED, {"r2": 1}, "more"), "run returned 3 values"),
        (returning(None, {"r2": 1}), "run returned None as its model"),
        (returning({"r2": 1}, FITTED), "run returned a dict as its model"),
        (returning(PlainRegression, {"r2": 1}), "as its model"),
        (
            returning(PlainRegression(), {"r2": 1}),
            "an unfitted LinearRegression as its model; call",
        ),
        (returning(make_pipeline(PlainRegression()), {"r2": 1}), "an unfitted Pipeline"),
        (returning(FITTED, None), "run returned None as its metrics"),
        (returning(FITTED, 0.7), "run returned a float as its metrics"),
        (returning(FITTED, {}), "run returned no metrics (a dict is empty)"),
        (returning(FITTED, {3: 0.7}), "metrics named [3]"),
        (returning(FITTED, {"r2": "0.7"}), "'r2' is a str"),
        (returning(FITTED, {"r2": None}), "'r2' is None"),
        (returning(FITTED, {"ok": True}), "'ok' is a bool"),
        (returning(FITTED, {"curve": [0.1, 0.2]}), "'curve' is a list"),
        (returning(FITTED, pd.DataFrame({"r2": [0.1, 0.2]})), "a DataFrame of 2 rows"),
        (returning(FITTED, pd.DataFrame({"r2": []})), "a DataFrame of 0 rows"),
        (returning(FITTED, pd.DataFrame({"r2": ["high"]})), "'r2' is a str"),
    ],
)
def test_what_a_train_job_may_not_return(spark: SparkSession, run: object, told: str) -> None:
    text = refusal(run)
    assert told in text
    assert "model" in text or "dict of numbers" in text or "float(" in text


def test_an_unfitted_spark_estimator_is_refused_by_name(spark: SparkSession) -> None:
    assert refusal(returning(pipeline(), {"r2": 1})) == (
        "run returned an unfitted Pipeline as its model; return what Pipeline.fit(...) returns"
    )


@pytest.mark.parametrize(("where", "told"), [("x < 2", "more than one row"), ("x < 0", "no row")])
def test_a_spark_frame_of_metrics_has_one_row(points: DataFrame, where: str, told: str) -> None:
    assert told in refusal(returning(FITTED, points.where(where)))


def test_a_null_metric_of_a_spark_frame_is_no_number(points: DataFrame) -> None:
    assert "'best' is None" in refusal(
        returning(FITTED, points.where("x < 0").selectExpr("max(y) AS best"))
    )
