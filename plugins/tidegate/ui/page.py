"""The gate report of an attempt as a page, for those who may read the runs of its DAG alone."""

from typing import Annotated
from urllib.parse import quote

from fastapi import HTTPException
from fastapi import Path as FromPath
from fastapi.responses import FileResponse

from tidegate.contract import Attempt
from tidegate.settings import reports_store
from tidegate.store import DOCS, REPORT, AttemptFiles
from tidegate.ui.airflow_server import guarded_app, may_read_runs

app = guarded_app()

_HEADERS = {"Content-Security-Policy": "sandbox allow-scripts", "Cache-Control": "no-store"}
"""Data Docs show values, which somebody else may have written: no access to Airflow's pages."""


@app.get(
    "/reports/{dag_id}/{run_id:path}/{task_id}/{map_index}/{try_number}",
    dependencies=[may_read_runs()],
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
    attempt = Attempt(
        dag_id=dag_id,
        task_id=task_id,
        run_id=run_id,
        map_index=map_index,
        try_number=try_number,
        generation=0,
        submitted_ms=0,
    )
    store = reports_store()
    files = store.files(attempt)
    root = AttemptFiles(store.root).folder.resolve()
    for name in (DOCS, REPORT):
        file = files.path(name).resolve()
        # A run id may hold dots and slashes: nothing outside the store is ever served.
        if file.is_relative_to(root) and file.is_file():
            return FileResponse(file, headers=_HEADERS)
    raise HTTPException(404, f"no report of {quote(task_id)} in {quote(run_id)}, try {try_number}")
