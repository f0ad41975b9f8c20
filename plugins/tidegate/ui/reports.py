"""The gate report of an attempt as a page, for those who may read the runs of its DAG and for nobody else."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import (
    auth_manager_from_app,
    requires_access_dag,
    requires_authenticated,
)
from fastapi import Depends, FastAPI, HTTPException
from fastapi import Path as FromPath
from fastapi.responses import FileResponse

from tidegate.contract import Attempt
from tidegate.operators.attempt import attempt_folder, reports_store

# No page without a login, and no generated documentation that would be one.
app = FastAPI(
    dependencies=[Depends(requires_authenticated())],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
app.dependency_overrides[auth_manager_from_app] = (
    get_auth_manager  # a mounted app has no auth manager of its own
)

_HEADERS = {"Content-Security-Policy": "sandbox allow-scripts", "Cache-Control": "no-store"}
"""Data Docs show values of the data, which somebody else may have written: its scripts get no access to Airflow's."""


@app.get(
    "/reports/{dag_id}/{run_id:path}/{task_id}/{map_index}/{try_number}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
)
def report(
    dag_id: Annotated[str, FromPath(pattern=r"^[\w.~-]+$")],
    run_id: str,
    task_id: Annotated[str, FromPath(pattern=r"^[\w.-]+$")],
    map_index: int,
    try_number: int,
) -> FileResponse:
    """Return the Data Docs page of one attempt, or its report as JSON if it was never judged.

    :raises HTTPException: 404 if that attempt left neither.
    """
    names = {"dag_id": dag_id, "task_id": task_id, "run_id": run_id}
    folder = attempt_folder(
        Attempt(**names, map_index=map_index, try_number=try_number, generation=0, submitted_ms=0)
    )
    store = reports_store().resolve()
    for name in ("data_docs.html", "report.json"):
        file = Path(folder, name).resolve()
        if file.is_relative_to(store) and file.is_file():
            return FileResponse(file, headers=_HEADERS)
    raise HTTPException(404, f"no report of {quote(task_id)} in {quote(run_id)}, try {try_number}")
