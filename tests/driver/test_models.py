"""Publishing and holding a registered model, and an author's mistakes: real MLflow, real models."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from tests.driver.attempts import (
    CLOSED,
    NAME,
    NO_ALIAS,
    PASS,
    WARN,
    Trial,
    all_of,
    breaking,
    champion,
    ridge,
    versions,
)

from tidegate.contract import digest
from tidegate.driver.registry.reading import load_model
from tidegate.driver.registry.trained import Trained
from tidegate.errors import ClusterUnavailable, PublishError, SpecError

pytest_plugins = "tests.driver.mlflow_store"
pytestmark = pytest.mark.usefixtures("mlflow_db")
PLUGINS = Path(__file__).parents[2] / "plugins"


def test_nobody_reads_a_staged_version(spark: SparkSession, client: MlflowClient) -> None:
    trial = Trial(spark)
    assert trial.begin() is None
    trial.stage()
    assert versions(client) == [1]
    assert champion(client) is None


def test_publish_moves_the_alias_and_tells_what_was_there(
    spark: SparkSession, client: MlflowClient
) -> None:
    first = Trial(spark, at=1000, run_id="r1").run()
    second = Trial(spark, at=2000, run_id="r2").run(judgement=WARN)

    assert (first.target, first.version, first.previous, first.rows) == (NAME, 1, None, None)
    assert (second.version, second.previous, second.held_at) == (2, 1, None)
    assert champion(client) == 2
    assert client.get_model_version(NAME, "2").tags["tidegate.verdict"] == "warn"


def test_version_and_run_say_where_they_come_from(
    spark: SparkSession, client: MlflowClient
) -> None:
    trial = Trial(spark, at=1000, try_number=3)
    trial.run(ridge(rmse=0.25, r2=0.9))

    found = client.get_model_version(NAME, "1")
    run = client.get_run(found.run_id)
    assert run.data.metrics == {"rmse": 0.25, "r2": 0.9}
    assert run.info.status == "FINISHED"
    for tags in (found.tags, run.data.tags):
        assert tags["tidegate.stage"] == trial.spec.key
        assert tags["tidegate.run_id"] == "r1"
        assert tags["tidegate.try"] == "3"
        assert tags["tidegate.suite"] == "delay_model"
        assert tags["tidegate.suite_sha256"] == trial.spec.suite.sha256
        assert tags["tidegate.fingerprint"] == digest(["work", "r1"])


def test_the_staged_frame_is_one_row_of_doubles(spark: SparkSession) -> None:
    trial = Trial(spark)
    trial.begin()
    staged = trial.target.stage(ridge(rmse=0.1, rows=7.0, lost=math.nan, odd=-math.inf))

    assert staged.rows == 1
    assert set(dict(staged.frame.dtypes).values()) == {"double"}
    [row] = staged.frame.collect()
    assert (row.rmse, row.rows, row.odd) == (0.1, 7.0, -math.inf)
    assert math.isnan(row.lost)


def test_a_closed_gate_leaves_the_champion_byte_for_byte(
    spark: SparkSession, client: MlflowClient
) -> None:
    Trial(spark, at=1000, run_id="r1").run(ridge(slope=2.0))
    before = all_of(client, 1)

    held = Trial(spark, at=2000, run_id="r2").run(ridge(slope=-9.0), CLOSED)

    assert (held.version, held.previous, held.held_at) == (2, 1, f"models:/{NAME}/2")
    assert champion(client) == 1
    assert all_of(client, 1) == before
    assert client.get_model_version(NAME, "2").tags["tidegate.verdict"] == "closed"
    assert load_model(spark, NAME, 1).predict([[10.0]]) == pytest.approx(20.0, abs=0.1)


def test_a_held_version_is_not_resumed_and_falls_to_the_next_attempt(
    spark: SparkSession, client: MlflowClient
) -> None:
    Trial(spark, at=1000).run(judgement=CLOSED)
    assert Trial(spark, at=2000, try_number=2).begin() is None
    assert versions(client) == []


def test_discard_takes_the_version_away_and_keeps_the_fence(
    spark: SparkSession, client: MlflowClient
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000)
    old.begin()
    new.begin()
    new.stage()
    run_id = client.get_model_version(NAME, "1").run_id

    new.target.discard()

    assert versions(client) == []
    assert client.get_run(run_id).info.status == "FAILED"
    with pytest.raises(PublishError, match="fenced"):
        old.stage()


def test_discard_after_the_verdict_touches_nothing(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path
) -> None:
    trial = Trial(spark)
    trial.begin()
    trial.stage()
    with breaking(mlflow_db, *NO_ALIAS), pytest.raises(PublishError):
        trial.target.publish(PASS)
    trial.target.discard()
    assert versions(client) == [1]


def test_a_second_publish_of_one_attempt_changes_nothing(
    spark: SparkSession, client: MlflowClient
) -> None:
    trial = Trial(spark)
    assert trial.begin() is None
    staged = trial.target.stage(ridge())
    first = staged.publish(PASS)
    assert staged.publish(PASS).version == first.version
    assert versions(client) == [champion(client)]


def test_two_stages_may_write_one_model(spark: SparkSession, client: MlflowClient) -> None:
    mine, other = Trial(spark, at=1000), Trial(spark, at=2000, task_id="train_another_way")
    mine.begin()
    mine.stage()
    other.run()
    assert mine.target.publish(PASS).previous == 2
    assert champion(client) == 1


def test_a_model_that_cannot_be_saved_is_the_authors_to_fix(
    spark: SparkSession, client: MlflowClient
) -> None:
    trial = Trial(spark)
    trial.begin()
    model = ridge().model
    model.lock = (number for number in ())
    with pytest.raises(SpecError, match=r"the fitted Ridge cannot be saved: .*generator"):
        trial.stage(Trained(model, {"rmse": 0.1}))
    trial.target.discard()
    [run] = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    assert (run.info.status, versions(client)) == ("FAILED", [])


def test_a_metric_name_mlflow_refuses_is_the_authors_to_fix(spark: SparkSession) -> None:
    trial = Trial(spark)
    trial.begin()
    with pytest.raises(SpecError, match="MLflow did not log the model: Invalid"):
        trial.stage(ridge(**{"rmse %": 0.1}))


def test_only_a_train_stage_writes_a_model(spark: SparkSession) -> None:
    trial = Trial(spark)
    trial.begin()
    with pytest.raises(SpecError, match="written by a train stage, not from a DataFrame"):
        trial.target.stage(spark.range(1))
    with pytest.raises(SpecError, match="names in 'writes'"):
        Trial(spark, writes=None)
    with pytest.raises(SpecError, match="open the registered model 'a/b'"):
        Trial(spark, writes="a/b")


def test_the_store_is_where_the_environment_says(
    spark: SparkSession, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "team" / "registry.db"
    database.parent.mkdir()
    database.write_bytes(store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    Trial(spark).run()
    found = MlflowClient(tracking_uri=f"sqlite:///{database}").get_model_version(NAME, "1")
    assert found.source.startswith((tmp_path / "team" / "mlartifacts").as_uri())


def test_mlflow_loads_late_quietly_and_sooner_on_request(tmp_path: Path) -> None:
    check = (
        "import sys, tidegate.driver.registry.reading as models\n"
        "assert not {'mlflow', 'sklearn', 'pyspark.ml'} & set(sys.modules)\n"
        "models.preload()\n"
        "assert {'mlflow.spark', 'mlflow.sklearn'} <= set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_mlflow_the_extra_is_named(tmp_path: Path) -> None:
    check = (
        "import sys; sys.modules['mlflow'] = None\n"
        "from tidegate.driver.registry.reading import load_model, preload\n"
        "preload()\n"
        "try: load_model(None, 'delays', 1)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("SpecError ")
    assert "tidegate[train]" in done.stdout


@pytest.mark.parametrize("uri", ["nonsense://nowhere", "file:///tmp/mlruns"])
def test_a_store_that_mlflow_cannot_open_is_named(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(SpecError, match="MLFLOW_TRACKING_URI names no store"):
        Trial(spark)


def test_a_tracking_server_that_is_away_is_unavailable(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        ClusterUnavailable, match="MLflow did not open the registered model 'delays'"
    ):
        Trial(spark)
