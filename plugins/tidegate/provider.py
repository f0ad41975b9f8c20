"""What Airflow's provider discovery reads.

It does so while its own configuration still loads: nothing of Airflow may be imported here.
"""

from typing import Any


def _option(description: str, default: str, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": default,
    }


def provider_info() -> dict[str, Any]:
    """Describe tidegate and its settings, the section ``[tidegate]`` of Airflow's configuration."""
    settings = {"description": "Publish control for Spark stages.", "options": _options()}
    return {
        "package-name": "tidegate",
        "name": "tidegate",
        "description": "Publish control for Spark: stages gated by Great Expectations.",
        "filesystems": ["tidegate.hdfs"],
        "config": {"tidegate": settings},
    }


def _options() -> dict[str, Any]:
    return {
        "project_dir": _option(
            "The folder with spark_jobs/ and expectations/. Empty: found beside the DAG file.",
            "",
            "/opt/project",
        ),
        "reports_dir": _option(
            "Where reports, their pages and Spark logs of all attempts go. "
            "Empty: $AIRFLOW_HOME/tidegate. A path of Airflow's object storage "
            "(hdfs://connection@host:8020/folder, s3a://connection@bucket/folder) for "
            "drivers in cluster mode.",
            "",
            "hdfs://webhdfs_default@namenode:8020/tidegate",
        ),
        "history_url": _option(
            "The Spark History Server that finished stages link to. Empty: none.",
            "",
            "http://history:18080",
        ),
        "keep_warm": _option(
            "How many seconds a driver in client mode waits for the next attempt with "
            "an equal start. 0: each attempt has a driver of its own.",
            "0",
            "300",
        ),
        "warm_drivers": _option(
            "How many such drivers there may be on a machine, at work or waiting.",
            "2",
        ),
    }
