"""The gate report of an attempt as a page, for those who may read the runs of its DAG alone."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import HTTPException
from fastapi import Path as FromPath
from fastapi.responses import HTMLResponse

from tidegate.contract import Attempt, Report
from tidegate.errors import SpecError
from tidegate.settings import reports_store
from tidegate.store import REPORT, AttemptFiles, Store
from tidegate.submit.shared import heir_of
from tidegate.telling.outcome import UNBELIEVABLE
from tidegate.telling.page import page, page_of_nothing, policy, tries_around
from tidegate.ui.airflow_server import guarded_app, may_read_runs

app = guarded_app()

HEADERS = {
    # Values on the page are somebody else's: were one ever taken for markup, it could still run
    # nothing, load nothing, send nothing and reach none of Airflow's own pages.
    "Content-Security-Policy": f"{policy()}; frame-ancestors 'self'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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
) -> HTMLResponse:
    """Return the page of one attempt, made of its report at this moment.

    No HTML that lies in a folder is ever served. A report that cannot be believed gives a page that
    says so, with status 200: the page is about the attempt, and the server is well.

    :raises HTTPException: 404 if that attempt left no report.
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
    with suppress(OSError, ValueError, SpecError):  # of a place that cannot be read: there is none
        store.bring(attempt, REPORT)
    if not _is_there(store, attempt):
        raise HTTPException(
            404, f"no report of {quote(task_id)} in {quote(run_id)}, try {try_number}"
        )
    return HTMLResponse(_page(store, attempt), headers=HEADERS)


def _is_there(store: Store, attempt: Attempt) -> bool:
    """Tell whether there is a report, inside the store: a run id may hold dots and slashes."""
    root = AttemptFiles(store.root).folder.resolve()
    file = store.files(attempt).path(REPORT).resolve()
    return file.is_relative_to(root) and file.is_file()


def _page(store: Store, attempt: Attempt) -> str:
    try:
        told = Report.from_json(store.files(attempt).read(REPORT))
        _require_own(store, told.attempt, attempt)
        return page(told, _addresses(store, attempt))
    except UNBELIEVABLE as wrong:
        # It is read from a folder: whatever is wrong with it is told, and hurts nothing else.
        return page_of_nothing("This report cannot be believed", f"{REPORT}: {wrong}"[:500])


def _require_own(store: Store, told: Attempt, asked: Attempt) -> None:
    """Refuse a report of another attempt, whose DAG this reader may not be allowed to see.

    A try that waited for the driver of an earlier one has that one's report.

    :raises ValueError: if they differ in what names an attempt.
    """
    its = replace(told, generation=0, submitted_ms=0)
    if its == asked:
        return
    is_of_this_task = replace(its, try_number=asked.try_number) == asked
    if not is_of_this_task or heir_of(store.common(its)) != asked.try_number:
        raise ValueError("it is the report of another attempt")


def _addresses(store: Store, attempt: Attempt) -> Mapping[int, str]:
    """Return the addresses of the other tries' pages, relative to this one's."""
    return {number: str(number) for number in tries_around(store, attempt)}
