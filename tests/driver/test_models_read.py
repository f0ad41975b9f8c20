"""A published model comes back, its class and predictions too, also in another process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression, LinearRegressionModel
from pyspark.sql import DataFrame, SparkSession
from sklearn.linear_model import Ridge
from tests.driver.attempts import NAME, Trial, X, ridge

from tidegate.driver.kinds.job import load_run
from tidegate.driver.kinds.train import produce
from tidegate.driver.registry.model import tracking_uri
from tidegate.driver.registry.reading import load_model
from tidegate.driver.registry.trained import Trained
from tidegate.errors import DataError

pytest_plugins = "tests.driver.mlflow_store"
pytestmark = pytest.mark.usefixtures("mlflow_db")


@pytest.fixture(scope="module")
def points(spark: SparkSession) -> DataFrame:
    return spark.range(20).selectExpr("double(id) AS x", "double(id) * 2 + 1 AS y")


def test_a_spark_pipeline_comes_back_and_predicts_the_same(
    spark: SparkSession, points: DataFrame
) -> None:
    stages = [
        VectorAssembler(inputCols=["x"], outputCol="features"),
        LinearRegression(labelCol="y", regParam=0.1),
    ]
    model = Pipeline(stages=stages).fit(points)
    Trial(spark).run(Trained(model, {"rmse": 0.1}))

    loaded = load_model(spark, NAME, 1)

    assert type(loaded) is PipelineModel
    assert (
        loaded.transform(points).select("prediction").collect()
        == model.transform(points).select("prediction").collect()
    )


def test_a_bare_spark_model_comes_back_bare(spark: SparkSession, points: DataFrame) -> None:
    featured = VectorAssembler(inputCols=["x"], outputCol="features").transform(points)
    model = LinearRegression(labelCol="y").fit(featured)
    Trial(spark).run(Trained(model, {"rmse": 0.1}))

    loaded = load_model(spark, NAME, 1)

    assert type(loaded) is LinearRegressionModel
    assert loaded.coefficients == model.coefficients


def test_a_scikit_learn_model_comes_back_and_predicts_the_same(spark: SparkSession) -> None:
    trained = ridge(slope=3.0)
    Trial(spark).run(trained)
    loaded = load_model(spark, NAME, 1)
    assert type(loaded) is Ridge
    assert np.array_equal(loaded.predict(X), trained.model.predict(X))


def test_another_process_reads_the_champion_with_plain_mlflow(
    spark: SparkSession, tmp_path: Path
) -> None:
    """From another folder, with no tidegate and no job file, the job has a step of its own."""
    job = tmp_path / "train_doubled.py"
    job.write_text(
        "from sklearn.linear_model import Ridge\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "def doubled(x):\n    return x * 2\n"
        "def run(params):\n"
        "    x = params['x']\n"
        "    model = make_pipeline(FunctionTransformer(doubled), Ridge())\n"
        "    return model.fit(x, x.ravel() * 5), {'rmse': 0.1}\n"
    )
    trained = produce(load_run(str(job)), {"params": {"x": X}})
    Trial(spark).run(trained)
    reader = (
        "import mlflow, numpy as np, warnings; warnings.simplefilter('ignore')\n"
        f"mlflow.set_tracking_uri({tracking_uri()!r})\n"
        f"model = mlflow.sklearn.load_model('models:/{NAME}@champion')\n"
        "print(*model.predict(np.arange(10.0).reshape(-1, 1)).tolist())\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    seen = subprocess.run(
        [sys.executable, "-c", reader], cwd=elsewhere, capture_output=True, text=True, check=False
    )

    assert seen.returncode == 0, seen.stderr
    assert [float(number) for number in seen.stdout.split()] == trained.model.predict(X).tolist()


def test_a_version_that_is_not_there_is_missing_data(spark: SparkSession) -> None:
    Trial(spark).begin()
    with pytest.raises(DataError, match="model 'delays' has no version 7"):
        load_model(spark, NAME, 7)
