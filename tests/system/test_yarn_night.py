"""The whole ``nightly_flights`` on Airflow and YARN, drivers beside their tasks and on the cluster.

Nothing in the DAG changes: the connection does, and Spark's defaults, as on any cluster.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from demo.server import AirflowServer
from tests.hadoop_cluster import Hadoop
from tests.system.stages import environment, until
from tests.system.test_nightly_airflow import DAG, GOOD, TASKS, project  # noqa: F401

pytestmark = [pytest.mark.system, pytest.mark.slow]
NIGHT_SECONDS = 1500


@dataclass
class Night:
    """A night that has ended."""

    mode: str
    server: AirflowServer
    hadoop: Hadoop


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    with Hadoop(tmp_path_factory.mktemp("hadoop")) as started:
        yield started


@pytest.fixture(scope="module", params=["cluster", "client"])
def night(
    request: pytest.FixtureRequest,
    project: Path,  # noqa: F811
    hadoop: Hadoop,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Night]:
    mode = str(request.param)
    home = tmp_path_factory.mktemp(mode)
    store = f"sqlite:///{home}/mlflow.db"
    conf = project / "conf" / "spark-defaults.conf"
    lines = conf.read_text().splitlines()
    lines += [*hadoop.spark_conf(), "spark.driver.memory 768m", "spark.sql.shuffle.partitions 2"]
    lines += [f"spark.yarn.appMasterEnv.MLFLOW_TRACKING_URI {store}"]
    conf.write_text("\n".join(lines))
    ours = environment(project, "yarn")
    settings = {name: ours[name] for name in ("SPARK_CONF_DIR", "PATH", "PYTHONPATH")}
    extra = json.dumps({"deploy-mode": mode})
    connection = {"conn_type": "spark", "host": "yarn", "extra": extra}
    settings |= {
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(connection),
        "AIRFLOW__TIDEGATE__REPORTS_DIR": f"file://{home}/tidegate",
        "HADOOP_CONF_DIR": str(hadoop.conf_dir),
        "MLFLOW_TRACKING_URI": store,
    }
    until("the node", lambda: hadoop.nodes() == 1)
    with AirflowServer(home, project / "dags", settings=settings) as server:
        server.trigger(DAG, "good", {"date": GOOD})
        server.wait(DAG, "good", NIGHT_SECONDS)
        yield Night(mode, server, hadoop)


def test_a_night_on_yarn_is_green_at_the_first_try(night: Night) -> None:
    tasks = night.server.tasks(DAG, "good")
    seen = {name: (each["state"], each["try_number"]) for name, each in tasks.items()}
    logs = [
        line
        for name, (state, _) in seen.items()
        if state != "success"
        for line in night.server.log(DAG, "good", name)
    ]
    assert seen == dict.fromkeys(TASKS, ("success", 1)), "\n".join(logs)


def test_every_stage_was_one_application(night: Night) -> None:
    said = requests.get(f"{night.hadoop.web}/ws/v1/cluster/apps", timeout=30).json()
    apps = said["apps"]["app"]
    is_cluster = night.mode == "cluster"
    mine = [app for app in apps if bool(app["applicationTags"]) == is_cluster]
    assert sorted(app["name"] for app in mine) == sorted(f"{DAG}.{task}" for task in TASKS)
    assert {app["finalStatus"] for app in mine} == {"SUCCEEDED"}
