"""What a task does with its driver's report: the provider's real hook, a fake ``spark-submit``."""

import json
import logging
import os
import subprocess
import threading
import time
from contextlib import suppress
from typing import Any

import psutil
import pytest
from airflow.sdk import Asset
from stages import FakeProject, batch, context, given

from tidegate import operators
from tidegate.errors import BY_NAME, DriverLost, GateClosed, SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store


def test_a_published_stage_returns_what_the_next_one_reads_and_tells_the_asset(
    project: FakeProject,
) -> None:
    task = batch(project)
    at = context(task)
    result = task.execute(at)
    assert result["read"] == {"table": "lake.a.b", "snapshot_id": 7}
    assert (result["rows"], result["verdict"]) == (100, "pass")
    assert at["outlet_events"][Asset("lake.a.b")].extra == {
        "verdict": "pass",
        "suite": "s",
        "rows": 100,
        "snapshot_id": 7,
        "run_id": "r1",
        "partition": {"ds": "2013-02-08"},
    }
    assert at["ti"].pushed == {"_link_SparkUiLink": "http://127.0.0.1:4040"}


def test_the_driver_is_given_the_whole_stage_in_a_file_that_others_cannot_read(
    project: FakeProject,
) -> None:
    task = batch(project)
    at = context(task, limit=3)
    task.execute(at)
    spec = given(task, at)
    assert spec.reads[0].path == f"file://{project.root}/landing/x.csv"
    assert spec.params["ds"] == "2013-02-08"
    assert spec.params["limit"] == 3
    assert spec.params["data_interval_start"].startswith("2013-02-08T00:00:00")
    assert spec.suite.document["expectations"]
    folder = reports_store().files(this_attempt(at)).folder
    assert oct((folder / "spec.json").stat().st_mode)[-3:] == "600"


def test_secrets_of_the_spark_conf_reach_neither_rendered_fields_nor_xcom(
    project: FakeProject,
) -> None:
    task = batch(
        project,
        conf={"spark.hadoop.fs.s3a.access.key": "AKIA-SECRET", "spark.executor.instances": 3},
    )
    at = context(task)
    result = task.execute(at)
    shown = {name: getattr(task, name) for name in task.template_fields}
    argv = (reports_store().files(this_attempt(at)).folder / "argv.json").read_text()
    assert "AKIA-SECRET" not in json.dumps([shown, result, argv], default=str)
    folder = reports_store().files(this_attempt(at)).folder
    assert "AKIA-SECRET" in (folder / "spec.seen.json").read_text(), "the driver was given it"
    assert "AKIA-SECRET" not in (folder / "spec.json").read_text(), "and nobody after it"
    assert "spark.executor.instances=3" in argv


def test_spark_arguments_pass_through_also_from_default_args(project: FakeProject) -> None:
    task = batch(project, driver_memory="3g", default_args={"executor_memory": "5g", "retries": 7})
    at = context(task)
    task.execute(at)
    argv = json.loads((reports_store().files(this_attempt(at)).folder / "argv.json").read_text())
    assert argv[argv.index("--driver-memory") + 1] == "3g"
    assert argv[argv.index("--executor-memory") + 1] == "5g"
    assert task.retries == 7
    assert batch(project, task_id="other", writes="lake.a.c", dag=project.dag("e")).retries == 2


@pytest.mark.parametrize(("outcome", "told"), [("published", "Published"), ("held", "Gate closed")])
def test_the_reports_page_lies_beside_it_for_its_owner_alone(
    project: FakeProject, outcome: str, told: str
) -> None:
    project.submit_will(outcome=outcome, exit={"held": 65}.get(outcome, 0))
    task = batch(project)
    at = context(task)
    with suppress(GateClosed):
        task.execute(at)
    page = reports_store().files(this_attempt(at)).path("report.html")
    assert oct(page.stat().st_mode)[-3:] == "600"
    assert f'<p class="mark">{told}' in page.read_text()


def test_a_closed_gate_is_gate_closed(project: FakeProject) -> None:
    project.submit_will(outcome="held", exit=65)
    task = batch(project)
    at = context(task)
    with pytest.raises(
        GateClosed, match="1 critical of 1 expectations failed on 100 rows: id: 2 % null"
    ):
        task.execute(at)
    assert not at["outlet_events"]


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_failed_report_raises_the_class_it_names(project: FakeProject, kind: str) -> None:
    project.submit_will(outcome="failed", type=kind, message="what, where, what to do", exit=70)
    task = batch(project)
    with pytest.raises(BY_NAME[kind], match="what, where, what to do"):
        task.execute(context(task))


def test_exit_code_zero_without_a_report_is_a_lost_driver(project: FakeProject) -> None:
    project.submit_will(exit=0)
    task = batch(project)
    with pytest.raises(DriverLost, match="without a report"):
        task.execute(context(task))


def test_a_driver_that_ends_badly_has_not_gone_through_whatever_it_reported(
    project: FakeProject,
) -> None:
    project.submit_will(outcome="published", exit=1)
    task = batch(project)
    with pytest.raises(DriverLost, match="reported 'published', and then ended with exit code 1"):
        task.execute(context(task))


def test_the_report_of_an_earlier_execution_of_the_same_try_is_not_believed(
    project: FakeProject,
) -> None:
    task = batch(project)
    at = context(task)
    task.execute(at)
    project.submit_will(exit=1)
    with pytest.raises(DriverLost):
        task.execute(at)


def test_sparks_own_lines_go_to_a_file_and_ours_to_the_task_log(
    project: FakeProject, capfd: pytest.CaptureFixture[str]
) -> None:
    project.submit_will(
        outcome="published",
        prints=["26/01/01 INFO noise"] * 500,
        tells=['{"say": "wrote 3 rows aside"}'],
    )
    task = batch(project)
    at = context(task)
    told: list[str] = []
    task.log.info = lambda text, *values: told.append(text % values)  # type: ignore[method-assign]
    task.execute(at)
    assert "wrote 3 rows aside" in told
    assert not [line for line in told if "noise" in line]
    assert (reports_store().files(this_attempt(at)).folder / "spark.log").read_text().count(
        "INFO noise"
    ) == 500


def test_the_command_of_spark_submit_is_a_debug_line(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    monkeypatch.setattr(SparkSubmitHook, "log", logging.getLogger("provider"))
    task = batch(project)
    with caplog.at_level(logging.DEBUG, "provider"):
        task.execute(context(task))
    told = [record for record in caplog.records if "Spark-Submit cmd" in record.getMessage()]
    assert [record.levelno for record in told] == [logging.DEBUG]


def test_a_read_whose_task_left_no_result_says_what_to_run(project: FakeProject) -> None:
    task = batch(project)
    at = context(task)
    task.reads = {"orders": None}
    with pytest.raises(SpecError, match=r"reads\['orders'\]: its task has left no result"):
        task.execute(at)


def test_a_provider_that_keeps_its_output_to_itself_is_told_in_one_line(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    def submit(hook: Any, application: str = "", **popen: Any) -> None:
        command = hook._build_spark_submit_command(application)
        hook._submit_sp = subprocess.Popen(command, **popen)
        hook._submit_sp.wait()

    monkeypatch.setattr(SparkSubmitHook, "submit", submit)
    task = batch(project)
    assert task.execute(context(task))["snapshot_id"] == 7
    (told,) = [line for line in caplog.messages if "no longer hands over" in line]
    assert "it went to this log" in told


def test_killing_the_task_ends_spark_submit_and_what_it_started(project: FakeProject) -> None:
    project.submit_will(outcome="published", sleeps=120)
    task = batch(project)
    failed: list[BaseException] = []

    def execute() -> None:
        try:
            task.execute(context(task))
        except DriverLost as lost:
            failed.append(lost)

    running = threading.Thread(target=execute)
    running.start()
    deadline = time.monotonic() + 60
    while not _submitted():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    task.on_kill()
    running.join(30)
    assert not running.is_alive()
    assert not _submitted()
    assert "signal" in str(failed[0])


def _submitted() -> list[str]:
    children = psutil.Process(os.getpid()).children(recursive=True)
    commands = [_command(child) for child in children]
    return [command for command in commands if "spark-submit" in command]


def _command(process: psutil.Process) -> str:
    # A child of an earlier test may end, or wait as a zombie for us, while it is looked at.
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def test_params_of_the_author_are_templates_and_those_of_the_form_are_not(
    project: FakeProject,
) -> None:
    task = batch(project, params={"day": "{{ ds }}", "typed": "x"})
    at = context(task, typed="{{ ds }}")
    task.execute(at)
    params = given(task, at).params
    assert (params["day"], params["typed"]) == ("2013-02-08", "{{ ds }}")


def test_a_missing_connection_says_how_to_make_one(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SPARK_DEFAULT")
    task = batch(project, conn_id="nowhere")
    with pytest.raises(SpecError, match="airflow connections add nowhere") as refused:
        task.execute(context(task))
    assert refused.value.__suppress_context__, "Airflow would show the same in a second traceback"


def test_cluster_deploy_mode_is_refused_with_the_way_out(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {
        "conn_type": "spark",
        "host": "spark://m:7077",
        "extra": {"deploy-mode": "cluster"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    task = batch(project)
    with pytest.raises(SpecError, match="use client"):
        task.execute(context(task))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"JAVA_HOME": "/nowhere"}, "no Java"),
        ({"AIRFLOW_CONN_SPARK_DEFAULT": "spark2"}, "no spark3-submit on this worker"),
    ],
)
def test_a_worker_without_java_or_spark_submit_says_so(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        extra = {"spark-binary": "spark3-submit"}
        monkeypatch.setenv(
            name,
            json.dumps({"conn_type": "spark", "host": "local", "extra": extra})
            if value == "spark2"
            else value,
        )
    task = batch(project)
    with pytest.raises(SpecError, match=said):
        task.execute(context(task))


def test_a_gate_passes_on_what_it_judged(project: FakeProject) -> None:
    project.submit_will(outcome="passed")
    read = {"path": "landing/x.csv", "schema": "id INT"}
    task = operators.GateOperator(task_id="g", dag=project.dag(), reads={"x": read}, gate="s")
    result = task.execute(context(task))
    assert result["read"]["path"].endswith("landing/x.csv")
    assert result["read"]["schema"] == "id INT"
    assert result["read"]["format"] == "csv"
