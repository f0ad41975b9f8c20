"""Which attempt this is, in Airflow's terms, and where its files lie."""

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk.configuration import conf

from tidegate.contract import Attempt, Report

if TYPE_CHECKING:
    from airflow.sdk import Context


def this_attempt(context: "Context") -> Attempt:
    """Return this attempt's identity; its clock is the worker's."""
    ti = context["ti"]
    return Attempt(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
        generation=ti.max_tries,
        submitted_ms=int(time() * 1000),
    )


def times(context: "Context") -> dict[str, Any]:
    """Return what every job's ``params`` hold: ``ds``, the data interval (ISO 8601 or None) and the run id."""
    run = context["dag_run"]
    day = run.logical_date or run.run_after
    start, end = run.data_interval_start, run.data_interval_end
    return {
        "ds": day.strftime("%Y-%m-%d"),
        "data_interval_start": start.isoformat() if start else None,
        "data_interval_end": end.isoformat() if end else None,
        "run_id": run.run_id,
    }


def attempt_folder(attempt: Attempt) -> Path:
    """Return where an attempt's spec, report, Data Docs page and Spark log lie."""
    run, task = quote(attempt.run_id, safe=":+"), quote(attempt.task_id, safe="")
    store = reports_store()
    return (
        store
        / attempt.dag_id
        / run
        / task
        / f"map={attempt.map_index}"
        / f"try={attempt.try_number}"
    )


def reports_store() -> Path:
    """Return ``[tidegate] reports_dir``, by default ``tidegate/`` in AIRFLOW_HOME."""
    return Path(conf.get("tidegate", "reports_dir", fallback="") or Path(AIRFLOW_HOME, "tidegate"))


def history_of(report: Report | None) -> str:
    """Return the History Server's page of the attempt's application; empty if ``[tidegate] history_url`` is not set."""
    base = conf.get("tidegate", "history_url", fallback="")
    application = report.spark.get("application") if report else None
    return f"{base.rstrip('/')}/history/{application}" if base and application else ""
