"""What is borrowed of Airflow's server: who may see a page. None of it is a public interface."""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import (
    auth_manager_from_app,
    requires_access_dag,
    requires_authenticated,
)
from fastapi import Depends, FastAPI


def guarded_app() -> FastAPI:
    """Return an application that serves nobody without a login, and no documentation of itself.

    Borrowed (``requires_authenticated``, ``get_auth_manager``) because a plugin's application is
    mounted without any protection; without it, reports are public. A mounted application has no
    auth manager of its own, hence the override.
    """
    app = FastAPI(
        dependencies=[Depends(requires_authenticated())],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.dependency_overrides[auth_manager_from_app] = get_auth_manager
    return app


def may_read_runs() -> Any:
    """Return the dependency that refuses whoever may not read the runs of ``dag_id``.

    Borrowed (``requires_access_dag``) because a login alone opens every DAG; without it, reports
    show values to people who may not see the DAG.
    """
    return Depends(requires_access_dag("GET", DagAccessEntity.RUN))
