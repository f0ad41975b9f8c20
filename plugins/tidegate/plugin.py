"""What Airflow loads: the page that a stage's "Gate report" link opens."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from tidegate.ui.page import app


class TidegatePlugin(AirflowPlugin):
    """Serves gate reports at ``/tidegate/reports/<dag>/<run>/<task>/<map index>/<try>``."""

    name = "tidegate"
    fastapi_apps: list[dict[str, Any]] = [  # noqa: RUF012  # as the base class declares it
        {"app": app, "url_prefix": "/tidegate", "name": "tidegate"}
    ]
