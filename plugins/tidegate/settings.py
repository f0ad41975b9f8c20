"""The section ``[tidegate]`` of Airflow's configuration, read in one place."""

from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk.configuration import conf

from tidegate.contract import Report
from tidegate.store import Store


def project_dir() -> str:
    """Return ``project_dir``; empty: the project is found beside the DAG file."""
    return _setting("project_dir")


def reports_store() -> Store:
    """Return where the files of all attempts lie: ``reports_dir``, else AIRFLOW_HOME/tidegate."""
    return Store(_setting("reports_dir") or str(Path(AIRFLOW_HOME, "tidegate")))


def history_of(report: Report | None) -> str:
    """Return the History Server's page of an attempt's application; empty without a server."""
    base = _setting("history_url")
    if not base or report is None:
        return ""
    application = report.spark.get("application")
    if not application:
        return ""  # it failed before Spark named it
    return f"{base.rstrip('/')}/history/{application}"


def _setting(name: str) -> str:
    # The fallback is for a mounted folder: without the wheel, Airflow knows no defaults of ours.
    return str(conf.get("tidegate", name, fallback="") or "")
