"""What cluster mode on Kubernetes asks of its API, and makes of its answers.

The API is an emulation that Kubernetes' own client speaks to; spark-submit is a program that
creates the pod it would create, and leaves a report. The real one: tests/system/test_kubernetes.py.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from stages import FakeProject, batch, context, given
from tests.kubernetes_api import KubernetesApi, labels_of

from tidegate.errors import ClusterUnavailable, DriverLost, ResourceExhausted, SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store
from tidegate.submit.kubernetes.client import connect as connect_to
from tidegate.submit.kubernetes.client import reach_of
from tidegate.submit.secrets import part
from tidegate.triggers import DriverTrigger

CREATE = """
from urllib.request import Request, urlopen
conf = [sys.argv[n + 1] for n, word in enumerate(sys.argv) if word == "--conf"]
conf = dict(each.split("=", 1) for each in conf)
prefix = "spark.kubernetes.driver.label."
labels = {key.removeprefix(prefix): conf[key] for key in conf if key.startswith(prefix)}
labels["spark-role"] = "driver"
pod = {"metadata": {"name": f"driver-{labels['tidegate/try']}", "labels": labels}}
pod["status"] = how.get("pod", {"phase": "Succeeded"})
address = f"{sys.argv[sys.argv.index('--master') + 1].removeprefix('k8s://')}"
place = f"{address}/api/v1/namespaces/{conf['spark.kubernetes.namespace']}/pods"
if not how.get("no_pod"):
    urlopen(Request(place, json.dumps(pod).encode(), method="POST")).read()
sys.exit("""
NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
PENDING = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": NO_ROOM,
        },
    ],
}
RUNNING = {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path_factory.mktemp("logs")) as started:
        yield started


@pytest.fixture
def api(
    project: FakeProject, server: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> KubernetesApi:
    server.clear()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", f"file://{tmp_path}/reports")
    connect(monkeypatch, server)
    for name in ("_POLL_SECONDS", "_FETCH_SECONDS"):
        monkeypatch.setattr(f"tidegate.submit.kubernetes.submission.{name}", 0.05)
    submit = project.root / "bin" / "spark-submit"
    submit.write_text(submit.read_text().replace("sys.exit(", CREATE))
    return server


def connect(monkeypatch: pytest.MonkeyPatch, api: KubernetesApi, **extra: str) -> None:
    told = {"deploy-mode": "cluster", "namespace": "nights", **extra}
    said = {"conn_type": "spark", "host": f"k8s://{api.address}", "extra": json.dumps(told)}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(said))


def conf_of(at: Any) -> dict[str, str]:
    files = reports_store().files(this_attempt(at))
    words: list[str] = json.loads(files.read("argv.json"))
    pairs = [words[n + 1] for n, word in enumerate(words) if word == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


def heard(task: Any) -> list[str]:
    said: list[str] = []
    task.log.info = lambda text, *values: said.append(text % values)
    return said


def raised_by(task: Any, at: Any = None) -> Any:
    with pytest.raises(Exception) as raised:
        task.execute(at or context(task))
    return raised.value


def driver(api: KubernetesApi) -> Any:
    (found,) = api.all("pods", **{"spark-role": "driver"})
    return found


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def dies(reason: str, code: int, message: str = "", **pod: Any) -> dict[str, Any]:
    end = {"exitCode": code, "reason": reason, "message": message}
    return {"phase": "Failed", "containerStatuses": [{"state": {"terminated": end}}], **pod}


def test_a_pod_bears_its_attempts_labels_and_its_connections_account(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, api, **{"service-account": "spark"})
    pulls = {"spark.kubernetes.container.image.pullSecrets": "registry"}
    task = batch(project, env_vars={"ZONE": "north"}, conf=pulls)
    at = context(task)
    said = heard(task)
    assert task.execute(at)["snapshot_id"] == 7
    assert "pod driver-1 on Kubernetes" in said
    labels = labels_of(driver(api))
    digest = labels.pop("tidegate/attempt")
    assert len(digest) == 32
    assert labels == {
        "tidegate/dag": "d",
        "tidegate/task": "clean",
        "tidegate/run": "r1",
        "tidegate/try": "1",
        "spark-role": "driver",
    }
    conf = conf_of(at)
    assert conf["spark.kubernetes.namespace"] == "nights"
    assert conf["spark.kubernetes.authenticate.driver.serviceAccountName"] == "spark"
    assert conf["spark.kubernetes.driverEnv.ZONE"] == "north"
    assert conf["spark.kubernetes.submission.waitAppCompletion"] == "false"
    assert conf["spark.kubernetes.container.image.pullSecrets"] == "registry"
    uploads = f"{reports_store().root}/driver=uploads/{digest}"
    assert conf["spark.kubernetes.file.upload.path"] == uploads
    assert not reports_store().files(this_attempt(at)).exists("driver.json")


def test_a_secret_is_kubernetes_own_until_the_driver_has_it(
    project: FakeProject, api: KubernetesApi
) -> None:
    task = batch(project, env_vars={"API_TOKEN": "t0p-secret"})
    at = context(task)
    task.execute(at)
    reference = conf_of(at)["spark.kubernetes.driver.secretKeyRef.TIDEGATE_SECRETS"]
    (made,) = [body for what, kind, body in api.changes if (what, kind) == ("ADDED", "secrets")]
    assert reference == f"{made['metadata']['name']}:conf"
    assert api.all("secrets") == []
    files = reports_store().files(this_attempt(at))
    for name in ("argv.json", "spec.seen.json", "spec.json", "spark.log"):
        assert "t0p-secret" not in files.read(name)
    assert given(task, at).conf == {}


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (dies("OOMKilled", 137), ResourceExhausted, "raise driver_memory"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: x"},
            ResourceExhausted,
            "evicted the driver's pod",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "by an operator"},
            ClusterUnavailable,
            "took the driver's room away",
        ),
        (
            dies(
                "Error",
                143,
                conditions=[
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                    }
                ],
            ),
            ClusterUnavailable,
            "took the driver's room away",
        ),
        ({"phase": "Failed", "reason": "NodeLost"}, ClusterUnavailable, "node was lost"),
        ({"phase": "Failed", "reason": "OutOfcpu"}, ClusterUnavailable, "no room"),
        (dies("StartError", 128, "exec: no such file"), SpecError, "no such program"),
        (dies("Error", 52), ResourceExhausted, "out of memory"),
        (dies("Error", 143), DriverLost, "exit code 143 (signal 15)"),
        (dies("Error", 13), DriverLost, "exit code 13"),
    ],
)
def test_kubernetes_reason_of_a_dead_driver_becomes_the_error(
    project: FakeProject, api: KubernetesApi, status: Any, error: type, said: str
) -> None:
    project.submit_will(pod=status)
    raised = raised_by(batch(project))
    assert type(raised) is error, raised
    assert said in str(raised)


def test_a_driver_that_waits_for_room_says_so_and_then_runs(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(outcome="published", pod=PENDING)
    task = batch(project)
    said = heard(task)
    line = f"the pod waits, 600 s at most: Unschedulable: {NO_ROOM}"

    def schedule() -> None:
        until(lambda: line in said)
        api.status("driver-1", **RUNNING)
        api.status("driver-1", phase="Succeeded")

    scheduler = meanwhile(schedule)
    assert task.execute(context(task))["snapshot_id"] == 7
    scheduler.join()
    assert said.count(line) == 1


def test_a_driver_that_waits_too_long_is_deleted(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, api, **{"pending-timeout": "0"})
    project.submit_will(pod=PENDING)
    raised = raised_by(batch(project))
    assert type(raised) is ClusterUnavailable
    assert "driver-1 did not run within 0 s" in str(raised)
    assert NO_ROOM in str(raised)
    assert api.all("pods") == []


@pytest.mark.parametrize(
    ("reason", "event", "said"),
    [
        ("ImagePullBackOff", 'pull "x:1": not found', "cannot be pulled"),
        ("InvalidImageName", "", "cannot start"),
        ("CreateContainerConfigError", "", "cannot start"),
    ],
)
def test_a_pod_that_will_never_run_is_not_waited_for(
    project: FakeProject, api: KubernetesApi, reason: str, event: str, said: str
) -> None:
    waiting = {"reason": reason, "message": "Back-off pulling image"}
    status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
    project.submit_will(pod=status)
    api.event("driver-1", "Failed", f"Failed to pull image: {event}")
    raised = raised_by(batch(project))
    assert type(raised) is SpecError
    assert said in str(raised)
    assert event in str(raised)
    assert api.all("pods") == []


def test_a_registry_that_is_away_is_waited_for(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, api, **{"pending-timeout": "0"})
    waiting = {"reason": "ImagePullBackOff", "message": "dial tcp: i/o timeout"}
    status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
    project.submit_will(pod=status)
    raised = raised_by(batch(project))
    assert type(raised) is ClusterUnavailable
    assert "i/o timeout" in str(raised)


def test_the_pods_log_is_followed_and_says_what_killed_it(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(pod=RUNNING)
    task = batch(project, env_vars={"API_TOKEN": "t0p-secret"})
    at = context(task)
    files = reports_store().files(this_attempt(at))
    log = api.log_of("driver-1")
    log.write_bytes(b"starting with t0p-secret\n")

    def work() -> None:
        until(lambda: files.exists("spark.log") and "starting" in files.read("spark.log"))
        with log.open("ab") as out:
            out.write(b"java.lang.OutOfMemoryError: Java heap space")
        api.status("driver-1", **dies("Error", 1))

    worker = meanwhile(work)
    raised = raised_by(task, at)
    worker.join()
    assert type(raised) is ResourceExhausted
    assert "memory ran out" in str(raised)
    kept = files.read("spark.log")
    assert "starting with ***" in kept
    assert kept.count("OutOfMemoryError") == 1


def test_a_pod_that_somebody_deletes_is_a_lost_driver(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(pod=RUNNING)
    task = batch(project)

    def remove() -> None:
        until(lambda: api.asked.count("GET /api/v1/namespaces/nights/pods/driver-1") > 1)
        api.delete("pods", "driver-1")

    remover = meanwhile(remove)
    raised = raised_by(task)
    remover.join()
    assert type(raised) is DriverLost
    assert "driver-1 is gone" in str(raised)


def test_an_api_that_is_away_for_a_while_costs_no_stage(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(outcome="published", pod=RUNNING)
    task = batch(project)
    away = iter(range(3))

    def refuses(asked: str) -> tuple[int, str] | None:
        if not asked.endswith("/pods/driver-1"):
            return None
        if next(away, None) is not None:
            return 503, "the server is shutting down"
        api.objects["pods", "driver-1"]["status"]["phase"] = "Succeeded"
        return None

    api.refuses = refuses
    assert task.execute(context(task))["snapshot_id"] == 7


def test_a_worker_that_may_not_ask_is_told_so(project: FakeProject, api: KubernetesApi) -> None:
    api.refuses = lambda asked: (403, 'pods is forbidden: User "x"') if "pods" in asked else None
    raised = raised_by(batch(project))
    assert type(raised) is SpecError
    assert "this worker's user may not do that" in str(raised)


@pytest.mark.parametrize(
    ("said", "error", "means"),
    [
        ("SparkException: Must specify the driver container image", SpecError, "no image"),
        ('pods is forbidden: User "x" cannot create', SpecError, "may not do that"),
        ("pods is forbidden: exceeded quota: nights", ClusterUnavailable, "quota"),
        ("KubernetesClientException: An error has occurred.", ClusterUnavailable, "not answer"),
    ],
)
def test_what_spark_submit_is_refused_becomes_the_error(
    project: FakeProject, api: KubernetesApi, said: str, error: type, means: str
) -> None:
    project.submit_will(no_pod=True, prints=[said], exit=1)
    raised = raised_by(batch(project))
    assert type(raised) is error, raised
    assert means in str(raised)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"spark.kubernetes.submission.waitAppCompletion": True}, "waits for the pod by itself"),
        (
            {"spark.kubernetes.authenticate.submission.oauthToken": "t0k3n"},
            "oauthTokenFile, or a kubeconfig",
        ),
        ({"spark.kubernetes.namespace": "days"}, "say it once"),
    ],
)
def test_what_cannot_be_is_refused(
    project: FakeProject, api: KubernetesApi, conf: dict[str, Any], said: str
) -> None:
    raised = raised_by(batch(project, conf=conf))
    assert type(raised) is SpecError
    assert said in str(raised)
    assert not list(project.root.rglob("argv.json"))


def left_running(project: FakeProject, api: KubernetesApi) -> None:
    """Run try 1 of a stage, of which the second is to find that its pod still runs."""
    task = batch(project)
    first = context(task)
    task.execute(first)
    reports_store().files(this_attempt(first)).path("argv.json").unlink()
    api.status("driver-1", **RUNNING)


def test_a_retry_waits_for_the_pod_of_the_try_before_it(
    project: FakeProject, api: KubernetesApi
) -> None:
    left_running(project, api)
    task = batch(project)
    second = context(task, try_number=2)
    said = heard(task)

    def finish() -> None:
        until(lambda: "driver-1 of try 1 still runs: waiting for it" in said)
        api.status("driver-1", phase="Succeeded")

    finisher = meanwhile(finish)
    assert task.execute(second)["snapshot_id"] == 7
    finisher.join()
    assert not list(project.root.rglob("argv.json"))
    report = json.loads(reports_store().files(this_attempt(second)).read("report.json"))
    assert report["attempt"]["try_number"] == 1


def test_a_pod_that_does_what_is_no_longer_asked_is_deleted(
    project: FakeProject, api: KubernetesApi
) -> None:
    left_running(project, api)
    (project.root / "spark_jobs" / "job.py").write_text("def run(x):\n    return x.limit(1)\n")
    task = batch(project)
    task.execute(context(task, try_number=2))
    assert [pod["metadata"]["name"] for pod in api.all("pods")] == ["driver-2"]


def test_ending_the_task_deletes_driver_and_executors(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(pod=RUNNING)
    task = batch(project)

    def end() -> None:
        pod = until(lambda: api.all("pods"))[0]
        labels = {**labels_of(pod), "spark-role": "executor"}
        api.put("pods", {"metadata": {"name": "executor-1", "labels": labels}})
        until(lambda: api.asked.count("GET /api/v1/namespaces/nights/pods/driver-1") > 1)
        task.on_kill()

    killer = meanwhile(end)
    raised = raised_by(task)
    killer.join()
    assert type(raised) is DriverLost
    assert api.all("pods") == []


def deferred(task: Any, at: Any) -> DriverTrigger:
    """Execute a stage that leaves its worker; return its trigger as Airflow makes it anew."""
    with pytest.raises(TaskDeferred) as raised:
        task.execute(at)
    _, arguments = json.loads(json.dumps(raised.value.trigger.serialize()))
    return DriverTrigger(**arguments)


def fired(trigger: DriverTrigger) -> Any:
    return asyncio.run(anext(trigger.run())).payload


def test_a_task_leaves_its_worker_until_its_pod_has_ended(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.submit.kubernetes.watch.KubernetesWatch.seconds", 0.05)
    project.submit_will(outcome="published", pod=PENDING)
    task = batch(project, deferrable=True, env_vars={"API_TOKEN": "t0p-secret"})
    trigger = deferred(task, context(task))
    assert "t0p-secret" not in json.dumps(trigger.serialize())
    (secret,) = api.all("secrets")

    def work() -> None:
        until(lambda: api.asked.count("GET /api/v1/namespaces/nights/pods/driver-1") > 1)
        assert api.all("secrets") == [secret]
        api.status("driver-1", **RUNNING)
        until(lambda: not api.all("secrets"))
        api.log_of("driver-1").write_text("the whole of it")
        api.status("driver-1", phase="Succeeded")

    worker = meanwhile(work)
    assert fired(trigger) == {"over": True}
    worker.join()
    at = context(task)
    assert task.resume(at)["snapshot_id"] == 7
    assert "the whole of it" in reports_store().files(this_attempt(at)).read("spark.log")


def test_a_pod_that_waits_too_long_brings_its_task_back_to_say_so(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.submit.kubernetes.watch.KubernetesWatch.seconds", 0.05)
    connect(monkeypatch, api, **{"pending-timeout": "0"})
    project.submit_will(pod=PENDING)
    task = batch(project, deferrable=True)
    assert fired(deferred(task, context(task))) == {"over": True}
    with pytest.raises(ClusterUnavailable, match="3 Insufficient cpu"):
        task.resume(context(task))
    assert api.all("pods") == []


def test_marking_or_clearing_a_task_that_waits_deletes_its_pod(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(pod=RUNNING)
    task = batch(project, deferrable=True)
    trigger = deferred(task, context(task))
    asyncio.run(trigger.on_kill())
    assert api.all("pods") == []


def test_a_later_try_keeps_the_pod_that_an_earlier_one_is_told_to_end(
    project: FakeProject, api: KubernetesApi
) -> None:
    project.submit_will(pod=RUNNING)
    earlier = batch(project)

    def take_over() -> None:
        until(lambda: api.asked.count("GET /api/v1/namespaces/nights/pods/driver-1") > 1)
        later = batch(project, deferrable=True)
        deferred(later, context(later, try_number=2))
        earlier.on_kill()

    taker = meanwhile(take_over)
    raised_by(earlier)
    taker.join()
    assert driver(api)["metadata"]["name"] == "driver-1"


def test_the_api_is_asked_with_what_spark_submit_is_given(
    api: KubernetesApi, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t0k3n\n")
    conf = {
        "spark.kubernetes.authenticate.submission.oauthTokenFile": str(tmp_path / "token"),
        "spark.kubernetes.authenticate.submission.caCertFile": "/ca.crt",
        "spark.kubernetes.trust.certificates": True,
    }
    shown = part({"conf": conf}).shown["conf"]
    found = connect_to(reach_of("k8s://kubernetes:6443", "nights", shown, ""))
    told = found._core.api_client.configuration
    assert told.host == "https://kubernetes:6443"
    assert told.api_key == {"authorization": "Bearer t0k3n"}
    assert (told.ssl_ca_cert, told.verify_ssl) == ("/ca.crt", False)


def test_a_kubeconfig_that_has_no_such_context_is_refused(
    project: FakeProject, api: KubernetesApi, tmp_path: Path
) -> None:
    (tmp_path / "kubeconfig").write_text("{contexts: [], clusters: [], users: []}")
    conf = {"spark.kubernetes.context": "nihgts"}
    variables = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    raised = raised_by(batch(project, conf=conf, env_vars=variables))
    assert type(raised) is SpecError
    assert "kubeconfig" in str(raised)


def test_without_the_client_it_says_what_to_install(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kubernetes.client", None)
    raised = raised_by(batch(project))
    assert type(raised) is SpecError
    assert "pip install 'tidegate[kubernetes]'" in str(raised)


def test_a_driver_beside_its_task_needs_no_client_and_labels_its_executors(
    project: FakeProject, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, api, **{"deploy-mode": "client"})
    submit = project.root / "bin" / "spark-submit"
    submit.write_text(submit.read_text().replace(CREATE, "sys.exit("))
    task = batch(project)
    at = context(task)
    assert task.execute(at)["snapshot_id"] == 7
    assert conf_of(at)["spark.kubernetes.executor.label.tidegate/task"] == "clean"
    assert api.asked == []
