"""The streaming example as a project in a folder of its own, and what Airflow is told of it."""

import ast
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from demo.server import PROJECT

DAY, NIGHT = "2013-02-11", "2013-02-08"
"""The day that is streamed, and the night that trains the champion if there is none."""
MODEL = "delay_model"
ROOT = PROJECT / ".tidegate" / "stream"
_DAGS = ("live_departures", "live_weather", "nightly_flights")
_WHOLE = ("planes", "airports")
_QUICK = """
# A few hundred rows a micro-batch: more than this costs more than it brings.
spark.sql.shuffle.partitions    2
spark.driver.memory             1g
spark.ui.enabled                false
"""


def prepare(root: Path) -> None:
    """Lay the project out in ``root``, whose lake, spool and broker are empty then."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("spark_jobs", "expectations"):
        shutil.copytree(PROJECT / folder, root / folder)
    for folder in ("conf", "dags", "sent", "landing/flights", "landing/weather"):
        (root / folder).mkdir(parents=True)
    for name in _DAGS:
        shutil.copy(PROJECT / "dags" / f"{name}.py", root / "dags")
    landed = [f"{name}.csv" for name in _WHOLE]
    landed += [f"{name}/{day}.csv" for name in ("flights", "weather") for day in (DAY, NIGHT)]
    for name in landed:
        shutil.copy(PROJECT / "landing" / name, root / "landing" / name)
    defaults = (PROJECT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
    (root / "conf" / "spark-defaults.conf").write_text(defaults + _QUICK, encoding="utf-8")


def settings(root: Path, servers: str, station: int) -> Mapping[str, str]:
    """Return what Airflow's processes need in their environment to work in ``root``.

    :param servers: where Kafka is.
    :param station: the port of the weather station.
    """
    kafka = {"conn_type": "kafka", "extra": {"bootstrap.servers": servers}}
    weather = {"conn_type": "generic", "host": "127.0.0.1", "port": station}
    return {
        "SPARK_CONF_DIR": str(root / "conf"),
        "MLFLOW_TRACKING_URI": models(),
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps(kafka),
        "AIRFLOW_CONN_WEATHER_STATION": json.dumps(weather),
    }


def models() -> str:
    """Return the MLflow store: the one that ``make demo`` trains into, unless the user says."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{PROJECT / 'mlflow.db'}"


def has_champion() -> bool:
    """Tell whether there is a model to score with."""
    uri = models()
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return False
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        MlflowClient(tracking_uri=uri).get_model_version_by_alias(MODEL, "champion")
    except MlflowException:
        return False
    return True


def packages() -> str:
    """Return the packages that the DAG's driver asks for, without importing Airflow."""
    tree = ast.parse((PROJECT / "dags" / "live_departures.py").read_text(encoding="utf-8"))
    named = {each.targets[0].id: each.value for each in tree.body if isinstance(each, ast.Assign)}
    return str(ast.literal_eval(named["PACKAGES"]))
