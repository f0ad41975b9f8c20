"""Which attempt this is, in Airflow's terms."""

from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Any

from tidegate.contract import Attempt

if TYPE_CHECKING:
    from airflow.sdk import Context


def this_attempt(context: "Context") -> Attempt:
    """Return this attempt's identity; its clock is the worker's."""
    ti = context["ti"]
    map_index = ti.map_index
    if map_index is None:
        map_index = -1  # what Airflow itself stores for a task that is not mapped
    return Attempt(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=map_index,
        try_number=ti.try_number,
        generation=ti.max_tries,
        submitted_ms=int(time() * 1000),
    )


def times(context: "Context") -> dict[str, Any]:
    """Return what every job's ``params`` hold of its run.

    :return: ``ds``, the data interval (ISO 8601, or None without one) and ``run_id``.
    """
    run = context["dag_run"]
    day = run.logical_date or run.run_after
    return {
        "ds": day.strftime("%Y-%m-%d"),
        "data_interval_start": _iso(run.data_interval_start),
        "data_interval_end": _iso(run.data_interval_end),
        "run_id": run.run_id,
    }


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.isoformat()
