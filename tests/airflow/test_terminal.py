"""``tidegate run`` and ``validate`` up to spark-submit, which is a fake one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stages import FakeProject

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
DAG = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task, task_group
from pendulum import datetime
from tidegate.operators import BatchStageOperator, GateOperator, SqlStageOperator

FIXED = {"job": "job.py", "gate": "s"}

@task
def days():
    return [{"ds": "2013-02-08"}]

with DAG("d", schedule=None, params={"size": 3}):
    landed = GateOperator(task_id="landed", gate="s", reads={"x": "landing/{{ ds }}.csv"})
    clean = BatchStageOperator(
        task_id="clean", reads={"x": landed}, writes="lake.a.{{ 'clean' }}", **FIXED,
        partition={"ds": "{{ ds }}"}, params={"at": "{{ ds_nodash }}"},
    )
    copies = BatchStageOperator.partial(
        task_id="copies", reads={"x": clean}, writes="lake.a.copies", **FIXED
    ).expand(partition=[{"k": "a"}, {"k": "b"}])
    BatchStageOperator(task_id="all", reads={"x": copies}, writes="lake.a.all", **FIXED)
    BatchStageOperator.partial(
        task_id="by_day", reads={"x": clean}, writes="lake.a.day", **FIXED
    ).expand(partition=days())
    BatchStageOperator(
        task_id="pulls", reads={"x": "{{ ti.xcom_pull('days') }}.csv"}, writes="lake.a.p", **FIXED
    )
    BatchStageOperator(
        task_id="asks", reads={"x": "{{ var.value.where }}.csv"}, writes="lake.a.q", **FIXED
    )
    EmptyOperator(task_id="other")

with DAG("second", schedule=None):
    EmptyOperator(task_id="other")
"""


@pytest.fixture
def dag_file(project: FakeProject) -> Path:
    file = project.root / "dags" / "d.py"
    file.write_text(DAG)
    return file


def tidegate(project: FakeProject, *words: str, **environment: str) -> tuple[int, list[str]]:
    """Return exit code and lines of a command in a project's folder, with no home of Airflow."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
    kept.pop("AIRFLOW_HOME")
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.root,
        env=kept | {"PYTHONPATH": str(PLUGINS)} | environment,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def asked(project: FakeProject) -> dict[str, object]:
    """Return the spec that the last driver was given."""
    specs = project.root.glob(".tidegate/reports/**/spec.seen.json")
    newest = max(specs, key=lambda file: file.stat().st_mtime)
    document: dict[str, object] = json.loads(newest.read_text())
    return document


def run(project: FakeProject, *words: str, **environment: str) -> tuple[int, list[str]]:
    task, *options = words
    return tidegate(
        project, "run", "dags/d.py", task, "2013-02-08", "--dag", "d", *options, **environment
    )


def test_a_stage_runs_as_its_dag_file_says_and_tells_what_its_task_log_would(
    project: FakeProject, dag_file: Path
) -> None:
    code, lines = run(project, "clean")
    assert code == 0, lines
    assert lines[0] == "[cli] x: of landed as it is now, which is not run here"
    assert any(line.startswith("[run] d / clean  try 1") for line in lines)
    assert any(line.startswith("[end] lake.a.clean: published 100 rows") for line in lines)
    assert len(lines) <= 13  # the reports folder has a line of its own
    spec = asked(project)
    assert spec["reads"][0]["path"] == f"file://{project.root}/landing/2013-02-08.csv"
    assert spec["writes"] == "lake.a.clean"
    assert spec["partition"] == {"ds": "2013-02-08"}
    assert spec["params"] | {"size": 3, "at": "20130208", "ds": "2013-02-08"} == spec["params"]
    assert spec["publish"] is True
    assert not (Path.home() / "airflow" / "tidegate" / "d").exists()


def test_no_publish_is_asked_of_the_driver(project: FakeProject, dag_file: Path) -> None:
    assert run(project, "clean", "--no-publish")[0] == 0
    assert asked(project)["publish"] is False
    assert run(project, "landed", "--no-publish")[0] == 0
    assert asked(project)["publish"] is True, "a gate of its own publishes nothing anyway"


def test_a_copy_of_a_mapped_stage_is_run_by_its_index(project: FakeProject, dag_file: Path) -> None:
    code, lines = run(project, "copies", "--map-index", "1")
    assert code == 0, lines
    spec = asked(project)
    assert spec["partition"] == {"k": "b"}
    assert spec["reads"][0]["table"] == "lake.a.clean"
    assert run(project, "all")[0] == 0
    assert asked(project)["reads"][0]["table"] == "lake.a.copies"


def test_a_closed_gate_and_a_failure_have_exit_codes_of_their_own(
    project: FakeProject, dag_file: Path
) -> None:
    project.submit_will(outcome="held", exit=65)
    code, lines = run(project, "clean")
    assert code == 3
    assert any("GATE CLOSED" in line for line in lines)
    project.submit_will(outcome="failed", type="JobError", message="it broke", exit=70)
    code, lines = run(project, "clean")
    assert code == 1
    assert any("it broke" in line for line in lines)
    assert not [line for line in lines if "Traceback" in line]


def test_an_absent_connection_is_told_with_what_to_set(
    project: FakeProject, dag_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SPARK_DEFAULT")
    code, lines = run(project, "clean")
    assert code == 1
    assert any("export AIRFLOW_CONN_SPARK_DEFAULT='{" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["clena"], "has no task 'clena'; its stages are ['landed', 'clean'"),
        (["other"], "is no stage of tidegate: run it with airflow tasks test"),
        (["copies"], "is mapped into 2 copies; say which: --map-index N, from 0 to 1"),
        (["copies", "--map-index", "7"], "is mapped into 2 copies"),
        (["clean", "--map-index", "0"], "is not mapped; leave --map-index out"),
        (["by_day", "--map-index", "0"], "takes what task 'days' hands on by XCom"),
        (["pulls"], "takes what task 'days' hands on by XCom"),
        (["asks"], "task 'asks' cannot be rendered here"),
    ],
)
def test_what_cannot_run_from_a_terminal_is_refused_in_one_line(
    project: FakeProject, dag_file: Path, words: list[str], told: str
) -> None:
    code, lines = run(project, *words)
    assert code == 1
    assert told in lines[-1]
    assert [line for line in lines if not line.startswith("[cli] x: ")] == [lines[-1]]


def test_a_dag_file_that_cannot_be_imported_or_is_not_there_is_told_in_one_line(
    project: FakeProject, dag_file: Path
) -> None:
    broken = project.root / "dags" / "broken.py"
    broken.write_text("from airflow.sdk import DAG\nimport nothing_of_the_kind\n")
    code, lines = tidegate(project, "run", str(broken), "clean", "2013-02-08")
    assert code == 1
    assert lines == [
        f"tidegate: DAG file {broken}: ModuleNotFoundError: No module named 'nothing_of_the_kind' "
        "(line 2)"
    ]
    code, lines = tidegate(project, "run", "dags/none.py", "clean", "2013-02-08")
    assert lines == ["tidegate: no DAG file dags/none.py"]
    code, lines = tidegate(project, "run", "dags/d.py", "clean", "2013-02-08")
    assert lines == [
        "tidegate: dags/d.py defines the DAGs ['d', 'second']; say which one: --dag DAG_ID"
    ]
