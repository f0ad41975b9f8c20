"""A worker that lacks something says what, in one sentence with the fix; no retry follows."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.stages import Project

pytestmark = pytest.mark.system

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    for task, job, gate, conn_id in (
        ("stage", "job.py", "open", "spark_default"),
        ("elsewhere", "job.py", "open", "spark_elsewhere"),
        ("no_job", "{{ 'jobb' }}.py", "open", "spark_default"),
        ("no_suite", "job.py", "{{ 'opne' }}", "spark_default"),
    ):
        BatchStageOperator(
            task_id=task, job=job, gate=gate, conn_id=conn_id, reads={"n": "landing/n.csv"},
            writes=f"lake.t.{task}",
        )
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("setup")) as made:
        made.write("dags/days.py", DAG)
        made.write("spark_jobs/job.py", "def run(n):\n    return n\n")
        made.write("landing/n.csv", "n\n1\n")
        made.suite("open")
        yield made


def connection(**extra: str) -> str:
    return json.dumps({"conn_type": "spark", "host": "local[1]", "extra": extra})


def refused(project: Project, task: str, **variables: str | None) -> str:
    """Run a stage that must be refused before Spark starts; return the sentence."""
    attempt = project.start(task, f"run-{len(list(project.root.glob('outcome.*')))}", **variables)
    outcome: dict[str, Any] = attempt.end()
    assert (outcome.get("error"), outcome.get("then")) == ("SpecError", "FAIL"), outcome
    assert "\n" not in outcome["text"]
    assert not attempt.folder.joinpath("spark.log").exists(), "Spark was started"
    assert not (project.root / "lake").exists()
    return str(outcome["text"])


def test_without_the_connection(project: Project) -> None:
    said = refused(project, "elsewhere")
    assert "no Airflow connection 'spark_elsewhere'" in said
    assert (
        "airflow connections add spark_elsewhere --conn-type spark --conn-host 'local[*]'" in said
    )


def test_without_java(project: Project, tmp_path: Path) -> None:
    said = refused(project, "stage", PATH=str(tmp_path), JAVA_HOME=None)
    assert "no Java: java is not there" in said
    assert "install it or set JAVA_HOME" in said


def test_with_a_java_home_that_holds_none(project: Project, tmp_path: Path) -> None:
    said = refused(project, "stage", JAVA_HOME=str(tmp_path))
    assert f"no Java: {tmp_path}/bin/java is not there" in said


def test_without_spark_submit(project: Project) -> None:
    # pip's own spark-submit is always found beside the interpreter, so this worker's connection
    # names another one.
    assert Path(sys.executable).with_name("spark-submit").exists()
    said = refused(
        project, "stage", AIRFLOW_CONN_SPARK_DEFAULT=connection(**{"spark-binary": "spark3-submit"})
    )
    assert "no spark3-submit on this worker's PATH: pip install pyspark" in said


def test_with_deploy_mode_cluster(project: Project) -> None:
    said = refused(
        project, "stage", AIRFLOW_CONN_SPARK_DEFAULT=connection(**{"deploy-mode": "cluster"})
    )
    assert "'deploy-mode' is 'cluster', and a local master has no cluster" in said
    assert "use client" in said


def test_without_the_job_file(project: Project) -> None:
    said = refused(project, "no_job")
    assert f"job 'jobb.py': no file {project.root}/spark_jobs/jobb.py" in said
    assert "did you mean 'job.py'?" in said


def test_without_the_suite(project: Project) -> None:
    said = refused(project, "no_suite")
    assert f"gate 'opne': no file {project.root}/expectations/opne.json" in said
    assert "did you mean 'open.json'?" in said
