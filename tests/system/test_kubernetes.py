"""Stages on Kubernetes by the real spark-submit: its API an emulation, its pods processes."""

import json
from collections.abc import Iterator

import pytest
from tests.kubernetes_api import KubernetesApi, labels_of
from tests.process_kubelet import ProcessKubelet
from tests.system.stages import Attempt, Project, until

pytestmark = pytest.mark.system
SECONDS = 300
"""How long a stage may take: three JVMs start for it, on a machine that may be busy."""
SECRET = "s0rely-kept"
DAG = """
import os
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    BatchStageOperator(
        task_id="hops", job="hops.py",
        reads={"routes": {"path": "landing/routes.csv", "schema": "src INT, dst INT"}},
        writes="lake.t.hops", partition={"ds": "{{ ds }}"}, gate="some_rows",
        driver_memory="512m",
        executor_memory="512m",
        env_vars={"GREETING": "hello", "API_TOKEN": os.environ.get("SECRET", "")},
        conf={
            "spark.kubernetes.container.image": "tidegate-spark:4.1.1",
            "spark.kubernetes.driver.master": os.environ["API"],
            "spark.executor.instances": "1",
        },
    )
"""
JOB = """
import os, sys, time
from pathlib import Path

PROJECT = Path({root!r})

def run(routes):
    told = {{key: os.environ.get(key) for key in ("GREETING", "API_TOKEN", "TIDEGATE_SECRETS")}}
    print("the job says", told["GREETING"], len(told["API_TOKEN"] or ""), file=sys.stderr)
    assert told["TIDEGATE_SECRETS"] is None
    (PROJECT / "held").touch()
    while (PROJECT / "hold").exists():
        time.sleep(0.1)
    return routes
"""


class Night:
    """A project whose stages run on Kubernetes."""

    def __init__(self, project: Project, api: KubernetesApi, kubelet: ProcessKubelet) -> None:
        self.project = project
        self.api = api
        self.kubelet = kubelet
        self.hold = project.root / "hold"
        self.held = project.root / "held"

    def start(self, run_id: str, number: int = 1, mode: str = "cluster", **more: str) -> Attempt:
        """Start an attempt; its report comes by a folder that all machines have."""
        self.held.unlink(missing_ok=True)
        extra = {"deploy-mode": mode, "namespace": "nights", "service-account": "spark"}
        said = {"conn_type": "spark", "host": f"k8s://{self.api.address}"}
        given = {
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({**said, "extra": json.dumps(extra)}),
            "AIRFLOW__TIDEGATE__REPORTS_DIR": f"file://{self.project.home}/tidegate",
            "API": self.api.address,
            **more,
        }
        return self.project.start("hops", run_id, number, **given)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("kubernetes")
    logs = folder / "logs"
    logs.mkdir()
    root = folder / "project"
    root.mkdir()
    with KubernetesApi(logs) as api, Project(root) as project:
        project.write("dags/days.py", DAG)
        project.write("spark_jobs/hops.py", JOB.format(root=str(root)))
        project.write("landing/routes.csv", "src,dst\n1,2\n2,3\n3,1\n1,3\n")
        rows = {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1},
            "severity": "critical",
        }
        project.suite("some_rows", rows)
        conf = project.root / "conf" / "spark-defaults.conf"
        lines = [line for line in conf.read_text().splitlines() if "driver.memory" not in line]
        lake = f"spark.sql.catalog.lake.warehouse file://{root}/lake"
        lines = [line for line in lines if "lake.warehouse" not in line]
        conf.write_text("\n".join([*lines, lake]))
        with ProcessKubelet(api, folder / "pods", project.environment) as kubelet:
            yield Night(project, api, kubelet)


def test_a_driver_in_a_pod_publishes_and_leaves_nothing_but_its_pod(night: Night) -> None:
    attempt = night.start("nightly__2013-01-01T00:00:00+00:00", SECRET=SECRET)
    outcome = attempt.end(SECONDS)
    assert "result" in outcome, f"{outcome}\n{attempt.log()}"
    assert (outcome["result"]["rows"], outcome["result"]["verdict"]) == (4, "pass")
    (driver,) = night.api.all("pods")
    labels = labels_of(driver)
    assert (labels["tidegate/dag"], labels["tidegate/task"]) == ("days", "hops")
    assert labels["tidegate/try"] == "1"
    assert labels["tidegate/run"].startswith("nightly__2013-01-01T00_00_00_00_00-")
    assert driver["spec"]["serviceAccountName"] == "spark"
    assert SECRET not in json.dumps([driver, *night.api.all("configmaps")])
    assert night.api.all("secrets") == []
    folder = attempt.folder.parents[3] / "nightly__2013-01-01T00%3A00%3A00+00%3A00" / "hops"
    (left,) = folder.glob("map=-1/try=1")
    log = (left / "spark.log").read_text()
    assert f"the job says hello {len(SECRET)}" in log
    assert "wrote 4 rows aside" in attempt.log()
    assert list((night.project.home / "tidegate" / "driver=uploads").iterdir()) == []
    for file in left.iterdir():
        assert SECRET not in file.read_text()
    until("the pods' processes to end", lambda: not night.kubelet.living())


def names(night: Night, phase: str) -> list[str]:
    pods = night.api.all("pods", **{"spark-role": "driver"})
    return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == phase]


@pytest.mark.slow
def test_a_retry_waits_for_the_driver_that_outlived_its_task(night: Night) -> None:
    night.hold.touch()
    first = night.start("outlived", SECRET=SECRET)
    until("the job", night.held.exists, SECONDS)
    first.kill("task")
    first.gone()
    (running,) = names(night, "Running")
    second = night.start("outlived", 2, SECRET=SECRET)
    until("the retry that waits", lambda: f"{running} of try 1 still runs" in second.log())
    night.hold.unlink()
    outcome = second.end(SECONDS)
    assert outcome["result"]["rows"] == 4, f"{outcome}\n{second.log()}"
    assert names(night, "Running") == []
    assert second.report() == first.report()
    assert second.report().attempt.try_number == 1
    assert night.api.all("secrets") == []


@pytest.mark.slow
def test_ending_the_task_deletes_the_pods_and_publishes_nothing(night: Night) -> None:
    before = night.project.table("lake.t.hops").main()
    night.hold.touch()
    attempt = night.start("ended")
    until("the job", night.held.exists, SECONDS)
    (running,) = names(night, "Running")
    task = attempt.process("task")
    assert task
    task.terminate()
    assert attempt.end(SECONDS)["error"] == "DriverLost"
    night.hold.unlink()
    assert ("pods", running) not in night.api.objects
    assert night.api.all("pods", **{"spark-role": "executor"}) == []
    until("the pods' processes to end", lambda: not night.kubelet.living())
    attempt.gone()
    assert night.project.table("lake.t.hops").main() == before


@pytest.mark.slow
def test_a_driver_that_is_killed_is_told_by_its_pod(night: Night) -> None:
    night.hold.touch()
    attempt = night.start("killed")
    until("the job", night.held.exists, SECONDS)
    (running,) = names(night, "Running")
    night.kubelet.kill(running)
    outcome = attempt.end(SECONDS)
    night.hold.unlink()
    assert (outcome["error"], outcome["then"]) == ("DriverLost", "RETRY"), outcome
    assert "signal 9" in outcome["text"]
    until("the executors' processes to end", lambda: not night.kubelet.living())


@pytest.mark.slow
def test_a_driver_beside_its_task_has_its_executors_in_pods(night: Night) -> None:
    attempt = night.start("beside", mode="client")
    outcome = attempt.end(SECONDS)
    assert outcome["result"]["rows"] == 4, f"{outcome}\n{attempt.log()}"
    made = [body for what, kind, body in night.api.changes if (what, kind) == ("ADDED", "pods")]
    labels = labels_of(made[-1])
    assert (labels["spark-role"], labels["tidegate/task"]) == ("executor", "hops")
    attempt.gone()
