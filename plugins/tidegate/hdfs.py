"""HDFS for Airflow's object storage, by WebHDFS; Airflow's own HDFS provider brings none.

Airflow loads this by the name that :mod:`tidegate.provider` gives, when a path of its scheme is
first used.
"""

from functools import partial
from typing import Any

_SECONDS = 60
"""How long HDFS may take for an answer; fsspec would wait for good, and the task with it."""
schemes = ["hdfs"]


def get_fs(conn_id: str | None, storage_options: dict[str, Any] | None = None) -> Any:
    """Return the file system of a connection of type ``webhdfs``, that of Airflow's HDFS provider.

    Its host and port are the NameNode's HTTP address; its schema may be ``https``; its login is
    whom HDFS takes the worker for. ``{"kerberos": true}`` in the extra asks for Kerberos.

    :raises ValueError: without a connection.
    """
    from airflow.sdk.bases.hook import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from fsspec.implementations.webhdfs import WebHDFS

    if not conn_id:
        raise ValueError(
            "hdfs:// needs the NameNode's HTTP address: name an Airflow connection that has it as "
            "host and port (hdfs://my_connection@namenode:8020/folder)"
        )
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as missing:
        raise ValueError(f"there is no Airflow connection {conn_id!r}") from missing
    files = WebHDFS(
        host=found.host,
        port=found.port or 9870,
        user=found.login or None,
        kerberos=bool(found.extra_dejson.get("kerberos")),
        use_https=found.schema == "https",
        **(storage_options or {}),
    )
    # fsspec keeps an instance for each set of arguments: bounded once, it stays so.
    if not isinstance(files.session.request, partial):
        files.session.request = partial(files.session.request, timeout=_SECONDS)
    return files
