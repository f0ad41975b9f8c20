"""Tasks that leave their workers while their drivers run on YARN, which is a file here.

The same on a real ResourceManager, with a real triggerer: tests/system/test_yarn_deferred.py.
"""

import asyncio
import json
import shutil
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferralTimeout, TaskDeferred
from fake_yarn import APP, KILLED, FakeYarn
from stages import FakeProject, batch, context

from tidegate.errors import ClusterUnavailable, DriverLost
from tidegate.operators import BatchStageOperator
from tidegate.operators.attempt import this_attempt
from tidegate.operators.base import StageOperator
from tidegate.settings import reports_store
from tidegate.submit.elsewhere import digest_of
from tidegate.submit.yarn.client import tag_of
from tidegate.triggers import DriverTrigger

SECRET = "t0p-secret"
pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def hurried(yarn: FakeYarn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.submit.yarn.watch._SECONDS_A_JVM", 0.05)


def deferred(task: StageOperator, at: Any) -> TaskDeferred:
    """Execute a stage that leaves its worker; return what Airflow keeps of it."""
    with pytest.raises(TaskDeferred) as raised:
        task.execute(at)
    return raised.value


def fired(kept: TaskDeferred) -> Any:
    """Return the event of a trigger that was made anew from what Airflow stores."""
    path, arguments = json.loads(json.dumps(kept.trigger.serialize()))
    assert path == "tidegate.triggers.DriverTrigger"
    run = DriverTrigger(**arguments).run()
    return asyncio.run(anext(run)).payload


def test_a_task_leaves_its_worker_until_its_driver_has_ended(
    project: FakeProject, yarn: FakeYarn
) -> None:
    yarn.knows(says=[["UNDEFINED", ""], None, ["UNDEFINED", ""], ["SUCCEEDED", ""]])
    task = batch(project, deferrable=True, env_vars={"API_TOKEN": SECRET})
    at = context(task)
    kept = deferred(task, at)
    assert SECRET not in json.dumps(kept.trigger.serialize())
    folder = reports_store().files(this_attempt(at)).folder
    assert "spark.yarn.submit.waitAppCompletion=false" in (folder / "argv.json").read_text()
    seen = folder / "spec.seen.json"
    assert SECRET in seen.read_text()
    seen.unlink()
    (folder / "environment.json").unlink()
    assert SECRET not in "".join(file.read_text() for file in folder.iterdir())
    assert fired(kept) == {"over": True}
    again = batch(project, deferrable=True, env_vars={"API_TOKEN": SECRET})
    at = context(again)
    result = again.resume_execution("resume", {"event": {"over": True}}, at)
    assert result["snapshot_id"] == 7
    assert [event.extra["snapshot_id"] for event in at["outlet_events"].values()] == [7]
    assert (folder / "report.html").is_file()


def test_what_has_changed_meanwhile_is_the_next_runs(project: FakeProject, yarn: FakeYarn) -> None:
    task = batch(project, deferrable=True)
    deferred(task, context(task))
    (project.root / "spark_jobs" / "job.py").unlink()
    (project.root / "expectations" / "s.json").write_text("{}")
    assert task.resume(context(task))["snapshot_id"] == 7


def test_another_worker_goes_on(
    project: FakeProject,
    yarn: FakeYarn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = batch(project, deferrable=True)
    at = context(task)
    there = project.root / "everywhere"
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", f"local://{there}")
    here = reports_store().files(this_attempt(at)).folder
    shutil.rmtree(here.parents[4], ignore_errors=True)  # of other tests, in AIRFLOW_HOME
    submit = project.root / "bin" / "spark-submit"
    submit.write_text(
        submit.read_text().replace("spec.folder", "spec.folder.removeprefix('local://')")
    )
    deferred(task, at)
    shutil.rmtree(here)
    assert task.resume(context(task))["snapshot_id"] == 7
    place = next(there.rglob("try=1"))
    assert "Submitted application" in (place / "spark.log").read_text()
    assert (place / "report.html").is_file()


def test_a_connection_that_has_changed_meanwhile_is_the_next_runs(
    project: FakeProject, yarn: FakeYarn, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = batch(project, deferrable=True)
    deferred(task, context(task))
    monkeypatch.delenv("AIRFLOW_CONN_SPARK_DEFAULT")
    assert task.resume(context(task))["snapshot_id"] == 7


def test_copies_of_a_mapped_stage_leave_their_workers_too(project: FakeProject) -> None:
    arguments = {"job": "job.py", "writes": "lake.a.b", "gate": "s", "deferrable": True}
    mapped = BatchStageOperator.partial(task_id="each", dag=project.dag(), **arguments).expand(
        reads=[{"x": "landing/x.csv"}], partition=[{"ds": "2013-02-08"}]
    )
    copy: Any = mapped.unmap({"reads": {"x": "landing/x.csv"}, "partition": {"ds": "2013-02-08"}})
    assert copy.deferrable


def test_a_driver_beside_its_task_is_waited_for_there(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = json.dumps({"conn_type": "spark", "host": "local[2]"})
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", said)
    task = batch(project, deferrable=True)
    assert task.execute(context(task))["snapshot_id"] == 7


def test_airflows_own_default_holds(project: FakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not batch(project).deferrable
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert batch(project).deferrable
    assert not batch(project, deferrable=False).deferrable


def test_what_yarn_says_of_a_dead_driver_is_told_when_the_task_goes_on(
    project: FakeProject, yarn: FakeYarn
) -> None:
    project.submit_will(prints=["Application report for " + APP])
    yarn.knows(says=[["FAILED", KILLED.format(code=143, told="killed")]])
    task = batch(project, deferrable=True)
    kept = deferred(task, context(task))
    assert fired(kept) == {"over": True}
    with pytest.raises(DriverLost, match="exit code 143"):
        task.resume(context(task))


def test_what_yarn_does_not_take_is_told_at_once(project: FakeProject, yarn: FakeYarn) -> None:
    project.submit_will(prints=["Call From a to b failed on connection exception"], exit=1)
    task = batch(project, deferrable=True)
    with pytest.raises(ClusterUnavailable, match="YARN or HDFS did not answer"):
        task.execute(context(task))


def test_a_cluster_that_does_not_answer_brings_the_task_back_to_wait_itself(
    project: FakeProject,
    yarn: FakeYarn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidegate.triggers._SILENT_SECONDS", 0.2)
    yarn.knows(says=[None])
    task = batch(project, deferrable=True)
    kept = deferred(task, context(task))
    assert fired(kept) == {"over": False}
    yarn.knows(says=[None, ["UNDEFINED", ""], ["SUCCEEDED", ""]])
    assert task.resume(context(task))["snapshot_id"] == 7


def test_a_triggerer_that_fails_brings_the_task_back_to_wait_itself(
    project: FakeProject, yarn: FakeYarn
) -> None:
    task = batch(project, deferrable=True)
    deferred(task, context(task))
    failed = {"error": "Trigger failure", "traceback": ["ImportError: tidegate"]}
    assert task.resume_execution("__fail__", failed, context(task))["snapshot_id"] == 7


def test_marking_or_clearing_a_task_that_waits_ends_its_application(
    project: FakeProject, yarn: FakeYarn
) -> None:
    task = batch(project, deferrable=True)
    kept = deferred(task, context(task))
    asyncio.run(kept.trigger.on_kill())
    assert [line.split()[-1] for line in yarn.asked("-kill")] == [APP]


def test_a_task_that_waits_beyond_its_timeout_ends_its_application(
    project: FakeProject, yarn: FakeYarn
) -> None:
    task = batch(project, deferrable=True)
    deferred(task, context(task))
    with pytest.raises(TaskDeferralTimeout):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context(task))
    assert [line.split()[-1] for line in yarn.asked("-kill")] == [APP]


def test_a_retry_waits_for_what_a_try_before_it_let_go(
    project: FakeProject, yarn: FakeYarn
) -> None:
    task = batch(project, deferrable=True)
    first = context(task)
    deferred(task, first)
    yarn.knows(says=[["SUCCEEDED", ""]], **{tag_of(digest_of(this_attempt(first))): [APP]})
    second = context(task, try_number=2)
    kept = deferred(task, second)
    assert json.loads(kept.trigger.serialize()[1]["ticket"])["attempt"]["try_number"] == 1
    assert len(list(project.root.rglob("argv.json"))) == 1
    assert task.resume(context(task, try_number=2))["snapshot_id"] == 7


def test_a_later_try_keeps_the_application_that_an_earlier_one_is_told_to_end(
    project: FakeProject,
    yarn: FakeYarn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    earlier = batch(project)
    first = context(earlier)
    project.submit_will(prints=[f"Submitted application {APP}"], exit=1)
    yarn.knows(says=[["UNDEFINED", ""]], **{tag_of(digest_of(this_attempt(first))): [APP]})

    def taken_over(*_: object) -> None:
        later = batch(project, deferrable=True)
        deferred(later, context(later, try_number=2))
        earlier.on_kill()

    monkeypatch.setattr("tidegate.submit.yarn.submission.sleep", taken_over)
    with pytest.raises(DriverLost):
        earlier.execute(first)
    assert not yarn.asked("-kill")
