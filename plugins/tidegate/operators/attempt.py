"""Which attempt this is, in Airflow's terms."""

from time import time
from typing import TYPE_CHECKING, Any

from tidegate.contract import Attempt

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
