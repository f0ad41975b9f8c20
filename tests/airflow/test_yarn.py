"""What cluster mode on YARN asks of YARN, and makes of its answers: by a YARN that is a file.

``spark-class`` here is a program that answers from that file as YARN's own client does, and notes
what it was asked. The same on a real ResourceManager: tests/system/test_yarn.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_yarn import APP, KILLED, SUBMITTED, UPLOADING, FakeYarn
from stages import FakeProject, batch, context, given

from tidegate.errors import ClusterUnavailable, DriverLost, ResourceExhausted, SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store
from tidegate.submit.elsewhere import digest_of
from tidegate.submit.yarn.client import tag_of


def argv(task: Any, at: Any) -> list[str]:
    folder = reports_store().files(this_attempt(at)).folder
    words: list[str] = json.loads((folder / "argv.json").read_text())
    return words


def lost_driver(project: FakeProject, yarn: FakeYarn, code: int, told: str) -> Any:
    """Run a stage whose driver YARN says to have died so; return what the task raised."""
    project.submit_will(prints=[SUBMITTED], exit=1)
    yarn.knows(says=[["FAILED", KILLED.format(code=code, told=told)]])
    task = batch(project)
    with pytest.raises(Exception) as raised:
        task.execute(context(task))
    return raised.value


def test_what_a_driver_needs_travels_with_its_application(
    project: FakeProject, yarn: FakeYarn
) -> None:
    task = batch(project, env_vars={"ZONE": "north", "API_TOKEN": "t0p-secret"})
    at = context(task)
    said: list[str] = []
    task.log.info = lambda text, *values: said.append(text % values)  # type: ignore[method-assign]
    assert task.execute(at)["snapshot_id"] == 7
    assert said.count(f"{APP} on YARN") == 1
    words = argv(task, at)
    files = words[words.index("--files") + 1].split(",")
    assert [Path(file).name for file in files] == ["driver.json", "job.py"]
    assert words[-1] == "driver.json"
    conf = [words[at + 1] for at, word in enumerate(words) if word == "--conf"]
    assert f"spark.yarn.tags={tag_of(digest_of(this_attempt(at)))}" in conf
    assert "spark.yarn.maxAppAttempts=1" in conf
    assert "spark.yarn.appMasterEnv.ZONE=north" in conf
    assert "t0p-secret" not in " ".join(words)
    folder = reports_store().files(this_attempt(at)).folder
    asked = json.loads((folder / "spec.seen.json").read_text())
    assert asked["conf"] == {"spark.tidegate.env.API_TOKEN": "t0p-secret"}
    assert (asked["job"], asked["folder"]) == ("job.py", f"file://{folder}")
    assert not (folder / "driver.json").exists()
    assert "t0p-secret" not in given(task, at).to_json()


def test_no_secret_stays_where_nothing_was_submitted(project: FakeProject, yarn: FakeYarn) -> None:
    secret = {"spark.hadoop.fs.s3a.secret.key": "t0p-secret"}
    task = batch(project, conf=secret, spark_binary="spark3-submit")
    at = context(task)
    with pytest.raises(SpecError, match="no spark3-submit"):
        task.execute(at)
    folder = reports_store().files(this_attempt(at)).folder
    assert "t0p-secret" not in "".join(file.read_text() for file in folder.iterdir())
    assert not (folder / "driver.json").exists()


def test_reports_in_a_folder_of_this_machine_are_refused(
    project: FakeProject, yarn: FakeYarn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", str(project.root / "reports"))
    task = batch(project)
    with pytest.raises(SpecError, match="where no driver on the cluster can leave its report"):
        task.execute(context(task))


@pytest.mark.parametrize(
    "conf", [{"spark.yarn.maxAppAttempts": 2}, {"spark.yarn.submit.waitAppCompletion": False}]
)
def test_what_would_break_retries_or_the_wait_is_refused(
    project: FakeProject, yarn: FakeYarn, conf: dict[str, Any]
) -> None:
    task = batch(project, conf=conf)
    with pytest.raises(SpecError, match="its retries are Airflow's"):
        task.execute(context(task))


@pytest.mark.parametrize(
    ("code", "told", "error", "said"),
    [
        (137, "killed on request. Exit code is 137", ResourceExhausted, "for its memory"),
        (-104, "is running 9B beyond the 'PHYSICAL' memory limit", ResourceExhausted, "memory"),
        (-103, "is running beyond the 'VIRTUAL' memory limit", ResourceExhausted, "memory"),
        (-102, "preempted by scheduler", ClusterUnavailable, "room for another queue"),
        (-100, "released on a *lost* node", ClusterUnavailable, "node, or its disks, were lost"),
        (143, "killed on request. Exit code is 143", DriverLost, "exit code 143 (signal 15)"),
        (52, "exited", ResourceExhausted, "out of memory"),
        (13, "exited", DriverLost, "exit code 13"),
    ],
)
def test_yarns_reason_of_a_dead_driver_becomes_the_error(
    project: FakeProject, yarn: FakeYarn, code: int, told: str, error: type, said: str
) -> None:
    raised = lost_driver(project, yarn, code, told)
    assert type(raised) is error, raised
    assert said in str(raised)


def test_an_unknown_queue_is_the_dags_to_change(project: FakeProject, yarn: FakeYarn) -> None:
    refusal = "YarnException: Application submitted by user root to unknown queue: nihgts"
    project.submit_will(prints=[refusal], exit=1)
    task = batch(project)
    with pytest.raises(SpecError, match="no such queue"):
        task.execute(context(task))


def test_a_spark_submit_that_dies_leaves_the_application_to_be_asked_for(
    project: FakeProject, yarn: FakeYarn
) -> None:
    project.submit_will(outcome="published", prints=[SUBMITTED], exit=1)
    yarn.knows(says=[["UNDEFINED", ""], None, ["UNDEFINED", ""], ["SUCCEEDED", ""]])
    task = batch(project)
    assert task.execute(context(task))["snapshot_id"] == 7
    assert len(yarn.asked("-status")) == 4


def test_what_travels_lies_there_until_it_has_been_uploaded(
    project: FakeProject, yarn: FakeYarn
) -> None:
    submit = project.root / "bin" / "spark-submit"
    look = "time.sleep(1.5)\nspec_file.with_name('kept').write_text(str(spec_file.exists()))\n"
    submit.write_text(submit.read_text().replace("sys.exit(", f"{look}sys.exit("))
    project.submit_will(outcome="published", prints=[UPLOADING])
    task = batch(project)
    at = context(task)
    task.execute(at)
    assert reports_store().files(this_attempt(at)).read("kept") == "True"


def test_an_application_that_yarn_does_not_know_has_ended(
    project: FakeProject, yarn: FakeYarn
) -> None:
    project.submit_will(prints=[SUBMITTED], exit=1)
    yarn.knows(says=["unknown"])
    task = batch(project)
    with pytest.raises(DriverLost, match="YARN does not know it"):
        task.execute(context(task))


def left_running(project: FakeProject, yarn: FakeYarn, **tagged: Any) -> Any:
    """Run try 1 of a stage, of which the second is told that its application still runs."""
    task = batch(project)
    first = context(task)
    task.execute(first)
    report = reports_store().files(this_attempt(first)).path("argv.json")
    report.unlink()
    yarn.knows(
        says=[["UNDEFINED", ""], ["SUCCEEDED", ""]],
        **{tag_of(digest_of(this_attempt(first))): [APP]},
    )
    return first


def test_a_retry_waits_for_the_application_of_the_try_before_it(
    project: FakeProject, yarn: FakeYarn, caplog: pytest.LogCaptureFixture
) -> None:
    left_running(project, yarn)
    task = batch(project)
    second = context(task, try_number=2)
    said: list[str] = []
    task.log.info = lambda text, *values: said.append(text % values)  # type: ignore[method-assign]
    assert task.execute(second)["snapshot_id"] == 7
    assert f"{APP} of try 1 still runs: waiting for it" in said
    assert not list(project.root.rglob("argv.json"))
    files = reports_store().files(this_attempt(second))
    assert json.loads(files.read("report.json"))["attempt"]["try_number"] == 1


def test_a_cleared_task_does_its_work_anew(project: FakeProject, yarn: FakeYarn) -> None:
    left_running(project, yarn)
    task = batch(project)
    cleared = context(task, try_number=2)
    cleared["ti"].max_tries += 1
    task.execute(cleared)
    assert [line.split()[-1] for line in yarn.asked("-kill")] == [APP]
    assert len(list(project.root.rglob("argv.json"))) == 1


def test_an_application_that_does_what_is_no_longer_asked_is_ended(
    project: FakeProject, yarn: FakeYarn
) -> None:
    left_running(project, yarn)
    (project.root / "spark_jobs" / "job.py").write_text("def run(x):\n    return x.limit(1)\n")
    task = batch(project)
    task.execute(context(task, try_number=2))
    assert [line.split()[-1] for line in yarn.asked("-kill")] == [APP]
    assert len(list(project.root.rglob("argv.json"))) == 1


def test_ending_the_task_ends_the_application(
    project: FakeProject, yarn: FakeYarn, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.submit_will(prints=[SUBMITTED], exit=1)
    yarn.knows(says=[["UNDEFINED", ""]])
    task = batch(project)

    def end_it(*_: object) -> None:
        task.on_kill()

    monkeypatch.setattr("tidegate.submit.yarn.submission.sleep", end_it)
    with pytest.raises(DriverLost):
        task.execute(context(task))
    assert [line.split()[-1] for line in yarn.asked("-kill")] == [APP]
