"""The section ``[tidegate]`` of Airflow's configuration, read in one place."""

from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk.configuration import conf

from tidegate.contract import Report
from tidegate.errors import SpecError
from tidegate.objects import Place
from tidegate.store import Store
from tidegate.submit.protocol import Warmth


def project_dir() -> str:
    """Return ``project_dir``; empty: the project is found beside the DAG file."""
    return _setting("project_dir")


def reports_store() -> Store:
    """Return where the files of all attempts lie: ``reports_dir``, else AIRFLOW_HOME/tidegate.

    If ``reports_dir`` is no folder, this machine keeps what it needs in the latter all the same.

    :raises SpecError: if ``reports_dir`` holds credentials.
    """
    here = str(Path(AIRFLOW_HOME, "tidegate"))
    named = _setting("reports_dir")
    scheme, _, _ = named.rpartition("://")
    if scheme in ("", "file"):
        return Store(named or here)
    return Store(here, Place.of(named))


def defers() -> bool:
    """Return whether tasks let go of their workers where nothing else is said."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


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
        return Warmth(seconds=max(seconds, 0), most=int(_setting("warm_drivers") or 2))
    except ValueError as wrong:
        raise SpecError(
            f"[tidegate] keep_warm and warm_drivers: {wrong}; give seconds and a number"
        ) from wrong


def _setting(name: str) -> str:
    # The fallback is for a mounted folder: without the wheel, Airflow knows no defaults of ours.
    return str(conf.get("tidegate", name, fallback="") or "")
