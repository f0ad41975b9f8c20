"""Tasks that leave their workers while their drivers run on YARN, on Airflow with a triggerer."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from demo.server import AirflowServer
from tests.hadoop_cluster import Hadoop
from tests.system.stages import REPOSITORY, environment, until
from tests.system.test_yarn import connection

pytestmark = [pytest.mark.system, pytest.mark.slow]
SECONDS = 400
TASK = "hops"
DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    BatchStageOperator(
        task_id="hops", job="hops.py",
        reads={"routes": {"path": "landing/routes.csv", "schema": "src INT, dst INT"}},
        writes="lake.t.hops", partition={"ds": "{{ run_id }}"}, gate="anything",
        driver_memory="512m", deferrable=True,
    )
"""
JOB = """
import time
from pathlib import Path

PROJECT = Path({root!r})

def run(routes):
    (PROJECT / "held").touch()
    while (PROJECT / "hold").exists():
        time.sleep(0.1)
    return routes
"""


class Night(AirflowServer):
    """Airflow with a triggerer, and a project whose stages run on YARN."""

    root: Path
    hadoop: Hadoop

    def start_triggerer(self) -> None:
        self._start("triggerer")

    def kill_triggerer(self) -> None:
        """Kill it with -9, and all that it has started."""
        os.killpg(self._processes[-1].pid, signal.SIGKILL)
        self._processes.pop().wait()

    def task(self, run_id: str) -> dict[str, Any]:
        return dict(self.tasks("days", run_id).get(TASK, {"state": None}))

    def apps(self) -> list[dict[str, Any]]:
        said = requests.get(f"{self.hadoop.web}/ws/v1/cluster/apps", timeout=30).json()
        found = (said["apps"] or {}).get("app") or []
        return sorted(found, key=lambda app: app["id"])

    def start_held(self, run_id: str) -> None:
        """Start a run, and return when its driver holds and its task has left its worker."""
        (self.root / "held").unlink(missing_ok=True)
        (self.root / "hold").touch()
        self.trigger("days", run_id, {})
        until("the job", (self.root / "held").exists, SECONDS)
        until("the task that waits", lambda: self.task(run_id)["state"] == "deferred")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    root = tmp_path_factory.mktemp("deferred")
    for folder in ("dags", "spark_jobs", "expectations", "landing", "conf"):
        (root / folder).mkdir()
    (root / "dags" / "days.py").write_text(DAG)
    (root / "spark_jobs" / "hops.py").write_text(JOB.format(root=str(root)))
    suite = {"name": "anything", "expectations": []}
    (root / "expectations" / "anything.json").write_text(json.dumps(suite))
    (root / "landing" / "routes.csv").write_text("src,dst\n1,2\n2,3\n3,1\n1,3\n")
    with Hadoop(root / "hadoop") as hadoop:
        defaults = (REPOSITORY / "conf" / "spark-defaults.conf").read_text().splitlines()
        lines = [*defaults, *hadoop.spark_conf(), "spark.sql.shuffle.partitions 2"]
        (root / "conf" / "spark-defaults.conf").write_text("\n".join(lines))
        ours = environment(root, "yarn")
        settings = {name: ours[name] for name in ("SPARK_CONF_DIR", "PATH", "PYTHONPATH")}
        settings |= {
            "AIRFLOW_CONN_SPARK_DEFAULT": connection("cluster"),
            "AIRFLOW__TIDEGATE__REPORTS_DIR": f"file://{root}/airflow/tidegate",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "HADOOP_CONF_DIR": str(hadoop.conf_dir),
        }
        until("the node", lambda: hadoop.nodes() == 1)
        with Night(root / "airflow", root / "dags", settings=settings) as server:
            server.root = root
            server.hadoop = hadoop
            server.start_triggerer()
            yield server


def test_a_triggerer_that_is_killed_costs_no_stage(night: Night) -> None:
    night.start_held("restarted")
    night.kill_triggerer()
    night.start_triggerer()
    (night.root / "hold").unlink()
    assert night.wait("days", "restarted", SECONDS) == "success"
    assert night.task("restarted")["try_number"] == 1
    (app,) = night.apps()
    assert app["finalStatus"] == "SUCCEEDED"
    log = "\n".join(night.log("days", "restarted", TASK))
    assert f"waiting for {app['id']} in the triggerer" in log
    assert f"{app['id']} is FINISHED" in log
    assert "wrote 4 rows aside" in log


def test_marking_a_task_that_waits_as_failed_ends_its_application(night: Night) -> None:
    night.start_held("marked")
    night.call("PATCH", f"dags/days/dagRuns/marked/taskInstances/{TASK}", new_state="failed")
    until("its end", lambda: night.apps()[-1]["finalStatus"] == "KILLED")
    (night.root / "hold").unlink()
    assert night.wait("days", "marked", SECONDS) == "failed"
