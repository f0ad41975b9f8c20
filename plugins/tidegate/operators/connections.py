"""Connections of what a stage reads: what may be shown of them, and what is secret."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from tidegate.contract import JdbcRead, KafkaRead, Read, password_key
from tidegate.errors import SpecError
from tidegate.operators import kafka

_ADDRESSES = {
    "postgres": "jdbc:postgresql://{host}/{schema}",
    "mysql": "jdbc:mysql://{host}/{schema}",
    "mssql": "jdbc:sqlserver://{host};databaseName={schema}",
}
"""By the connection's type; any other database has a connection of type ``jdbc``."""
_DRIVERS = {"postgres": "org.postgresql.Driver"}


def connected(reads: Iterable[Read]) -> tuple[list[Read], dict[str, str]]:
    """Return reads with the addresses of what they read, and the passwords, as secret conf.

    :raises SpecError: if Airflow has no such connection, or it is of no known type.
    """
    found: list[Read] = []
    passwords: dict[str, str] = {}
    for read in reads:
        each, secured = _connected(read)
        found.append(each)
        passwords |= secured
    return found, passwords


def _connected(read: Read) -> tuple[Read, dict[str, str]]:
    if isinstance(read, KafkaRead) and read.conn_id:
        told = '; add one of type kafka, whose extra is {"bootstrap.servers": "host:9092", …}'
        return kafka.served(read, _connection(read, read.conn_id, told).extra_dejson)
    if not isinstance(read, JdbcRead):
        return read, {}
    told = (
        f": airflow connections add {read.jdbc} --conn-type postgres --conn-host … --conn-login …"
    )
    connection = _connection(read, read.jdbc, told)
    secured = {}
    if connection.password:
        secured[password_key(read.jdbc)] = connection.password
    return _addressed(read, connection), secured


def _connection(read: Read, conn_id: str, told: str) -> Any:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as missing:
        raise SpecError(
            f"reads[{read.name!r}]: there is no Airflow connection {conn_id!r}{told}"
        ) from missing


def _addressed(read: JdbcRead, connection: Any) -> JdbcRead:
    kind = connection.conn_type
    driver = _DRIVERS.get(kind, "")
    if kind == "jdbc":
        # As Airflow's own JDBC provider has it: the whole address is the host.
        url = connection.host or ""
        driver = str(connection.extra_dejson.get("driver_class") or "")
    elif kind in _ADDRESSES:
        host = connection.host or "localhost"
        if connection.port:
            host = f"{host}:{connection.port}"
        url = _ADDRESSES[kind].format(host=host, schema=connection.schema or "")
    else:
        raise SpecError(
            f"reads[{read.name!r}]: connection {read.jdbc!r} is of type {kind!r}; of type "
            f"{sorted(_ADDRESSES)} the address is known, for any other make it of type 'jdbc' with "
            "the whole address (jdbc:…) as its host"
        )
    return replace(read, url=url, user=connection.login or "", driver=driver)
