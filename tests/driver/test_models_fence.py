"""An older attempt publishes no model, ever; a newer one resumes what a killed driver left."""

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pyspark.sql import SparkSession
from sklearn.linear_model import Ridge
from tests.driver.attempts import (
    CLOSED,
    NAME,
    NO_ALIAS,
    PASS,
    WARN,
    Trial,
    X,
    breaking,
    champion,
    versions,
)

from tidegate.contract import Judgement
from tidegate.driver.registry.model import Registry
from tidegate.driver.registry.trained import Trained
from tidegate.errors import PublishError

pytest_plugins = "tests.driver.mlflow_store"
pytestmark = pytest.mark.usefixtures("mlflow_db")


def test_an_older_attempt_that_wakes_before_begin_is_fenced(
    spark: SparkSession, client: MlflowClient
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000, try_number=2)
    new.begin()
    new.stage()
    with pytest.raises(PublishError, match=r"fenced: a newer attempt .*submitted at 2000 ms"):
        old.begin()
    assert versions(client) == [1]
    assert new.target.publish(PASS).version == 1


def test_an_older_attempt_that_wakes_before_stage_is_fenced(
    spark: SparkSession, client: MlflowClient
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000, try_number=2)
    old.begin()
    new.begin()
    with pytest.raises(PublishError, match="fenced"):
        old.stage()
    assert versions(client) == []


def test_an_older_attempt_that_wakes_before_stage_is_fenced_though_the_newer_is_done(
    spark: SparkSession, client: MlflowClient
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000, run_id="r2")
    old.begin()
    new.run()
    with pytest.raises(PublishError, match="fenced"):
        old.stage()
    assert champion(client) == 1


@pytest.mark.parametrize("act", ["publish", "hold"])
def test_an_older_attempt_that_wakes_after_stage_is_fenced(
    spark: SparkSession, client: MlflowClient, act: str
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000, try_number=2)
    old.begin()
    old.stage()
    new.begin()
    assert versions(client) == []
    with pytest.raises(PublishError, match="fenced"):
        getattr(old.target, act)(CLOSED if act == "hold" else PASS)
    assert champion(client) is None


def test_what_an_older_attempt_staged_too_late_to_be_deleted_is_fenced_and_removed(
    spark: SparkSession, client: MlflowClient
) -> None:
    old, new = Trial(spark, at=1000), Trial(spark, at=2000, try_number=2)
    old.begin()

    class Slow(Ridge):  # a newer attempt begins while this one is being saved
        def __reduce__(self) -> Any:
            new.begin()
            return (Ridge, ())

    old.stage(Trained(Slow().fit(X, X.ravel()), {"rmse": 1.0}))
    assert versions(client) == [1]
    with pytest.raises(PublishError, match="fenced"):
        old.target.publish(PASS)
    assert versions(client) == []
    assert champion(client) is None


def test_an_older_attempt_that_wakes_after_its_judgement_is_fenced(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path
) -> None:
    """It has checked the marks; all that is left to do is to move the alias."""
    old, new = Trial(spark, at=1000, run_id="r1"), Trial(spark, at=2000, run_id="r2")
    old.begin()
    old.stage()
    registry = Registry(NAME)
    [staged] = registry.versions("tidegate.run_id", "r1")
    with breaking(mlflow_db, *NO_ALIAS), pytest.raises(PublishError, match="disk gone"):
        old.target.publish(PASS)
    new.begin()
    with pytest.raises(PublishError, match="fenced"):
        registry.crown(staged)
    assert champion(client) is None


def test_mlflow_itself_refuses_an_alias_for_a_deleted_version(
    spark: SparkSession, client: MlflowClient
) -> None:
    """The ground all fencing stands on."""
    trial = Trial(spark)
    trial.begin()
    trial.stage()
    client.delete_model_version(NAME, "1")
    with pytest.raises(MlflowException, match="not found"):
        client.set_registered_model_alias(NAME, "champion", "1")


def test_of_two_drivers_of_one_attempt_the_last_to_begin_publishes(
    spark: SparkSession, client: MlflowClient
) -> None:
    first, second = Trial(spark, at=1000), Trial(spark, at=1000)
    first.begin()
    second.begin()
    with pytest.raises(PublishError, match="fenced"):
        first.stage()
    second.stage()
    assert second.target.publish(PASS).version == champion(client)


def test_an_alias_moved_while_its_version_is_deleted_falls_back_to_the_champion(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path
) -> None:
    Trial(spark, at=1000, run_id="r1").run()
    old, new = Trial(spark, at=2000, run_id="r2"), Trial(spark, at=3000, run_id="r3")
    old.begin()
    old.stage()
    moves = "UPDATE registered_model_aliases SET version = NEW.version"
    when = "BEFORE UPDATE ON model_versions WHEN NEW.current_stage = 'Deleted_Internal' BEGIN"
    with breaking(mlflow_db, f"{when} {moves}"):
        new.begin()
    assert champion(client) == 1


def test_published_versions_survive_every_fence(spark: SparkSession, client: MlflowClient) -> None:
    for day in range(1, 4):
        Trial(spark, at=day * 1000, run_id=f"r{day}").run()
    assert versions(client) == [1, 2, 3]
    marks = [
        tag for tag in client.get_registered_model(NAME).tags if tag.startswith("tidegate.attempt.")
    ]
    assert len(marks) == 1


@pytest.mark.parametrize("judgement", [PASS, WARN])
def test_a_crash_between_judge_and_publish_is_resumed(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path, judgement: Judgement
) -> None:
    Trial(spark, at=500, run_id="r0").run()
    old = Trial(spark, at=1000)
    old.begin()
    old.stage()
    with (
        breaking(mlflow_db, *NO_ALIAS),
        pytest.raises(PublishError, match="disk gone"),
    ):
        old.target.publish(judgement)
    assert champion(client) == 1

    output = Trial(spark, at=2000, try_number=2).begin()

    assert (output.version, output.previous) == (2, 1)
    assert output.note == "judged by try 1; no work was done again"
    assert champion(client) == 2


def test_a_crash_between_publish_and_report_is_resumed(
    spark: SparkSession, client: MlflowClient
) -> None:
    Trial(spark, at=500, run_id="r0").run()
    Trial(spark, at=1000).run()
    output = Trial(spark, at=2000, try_number=2).begin()
    assert (output.version, output.previous, output.note) == (2, 1, "already published by try 1")
    assert versions(client) == [1, 2]


def test_a_crash_right_after_the_alias_moved_is_resumed(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path
) -> None:
    no_tag = (
        "BEFORE INSERT ON model_version_tags WHEN NEW.key = 'tidegate.published' "
        "BEGIN SELECT RAISE(ABORT, 'gone')"
    )
    with breaking(mlflow_db, no_tag):
        assert Trial(spark, at=1000).run().version == 1
    assert "tidegate.published" not in client.get_model_version(NAME, "1").tags

    assert Trial(spark, at=2000, try_number=2).begin().note == "already published by try 1"
    Trial(spark, at=3000, run_id="r2").run()
    Trial(spark, at=4000, run_id="r3").begin()
    assert versions(client) == [1, 2]


def test_a_run_published_and_overtaken_is_not_published_again(
    spark: SparkSession, client: MlflowClient
) -> None:
    Trial(spark, at=1000, run_id="r1").run()
    Trial(spark, at=2000, run_id="r2").run()
    output = Trial(spark, at=3000, run_id="r1", try_number=2).begin()
    assert output.version == 1
    assert output.note == "already published by try 1; version 2 has been published since"
    assert champion(client) == 2


def test_another_run_resumes_nothing(
    spark: SparkSession, client: MlflowClient, mlflow_db: Path
) -> None:
    old = Trial(spark, at=1000, run_id="r1")
    old.begin()
    old.stage()
    with breaking(mlflow_db, *NO_ALIAS), pytest.raises(PublishError):
        old.target.publish(PASS)
    assert Trial(spark, at=2000, run_id="r2").begin() is None
    assert versions(client) == []


def test_a_version_without_a_verdict_is_not_resumed(
    spark: SparkSession, client: MlflowClient
) -> None:
    old = Trial(spark, at=1000)
    old.begin()
    old.stage()
    assert Trial(spark, at=2000, try_number=2).begin() is None
    assert versions(client) == []
