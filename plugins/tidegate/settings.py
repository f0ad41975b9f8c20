"""The section ``[tidegate]`` of Airflow's configuration, read in one place."""

from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk.configuration import conf

from tidegate.contract import Report
from tidegate.errors import SpecError
from tidegate.store import Store
from tidegate.submit.warm import Warmth


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


def warmth() -> Warmth:
    """Return how long drivers wait for the next attempt, and how many may.

    :raises SpecError: if ``keep_warm`` is no number, or ``warm_drivers`` no whole one.
    """
    try:
        seconds = float(_setting("keep_warm") or 0)
        return Warmth(max(seconds, 0), int(_setting("warm_drivers") or 2))
    except ValueError as wrong:
        raise SpecError(
            f"[tidegate] keep_warm and warm_drivers: {wrong}; give seconds and a number"
        ) from wrong


def _setting(name: str) -> str:
    # The fallback is for a mounted folder: without the wheel, Airflow knows no defaults of ours.
    return str(conf.get("tidegate", name, fallback="") or "")
