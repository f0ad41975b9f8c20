"""A read of a database by JDBC: the connection by its id, the password never."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.contract.secrets import carries_secret, is_secret
from tidegate.errors import require

_OURS = frozenset(
    (
        *("url", "dbtable", "query", "user", "password", "driver"),
        *("partitioncolumn", "lowerbound", "upperbound", "numpartitions"),
    )
)
"""Options of Spark's that the read itself sets, in small letters."""


def password_key(conn_id: str) -> str:
    """Return the name of the secret conf by which a connection's password reaches the driver."""
    return f"spark.tidegate.jdbc.{conn_id}.password"


@dataclass(frozen=True, kw_only=True)
class JdbcRead:
    """A table or a query of a database, by an Airflow connection.

    :param jdbc: the connection's id.
    :param partition_column: a number, date or timestamp; with ``bounds`` (lowest and highest, which
        leave no row out) and ``partitions`` the table is read by so many queries side by side.
    :param options: of Spark's reader, such as ``fetchsize``.
    :param url: what the worker made of the connection, as are ``user`` and ``driver``.
    :raises SpecError: if it names no table or query, or both, or if a secret is in it.
    """

    name: str
    jdbc: str
    table: str | None = None
    query: str | None = None
    partition_column: str | None = None
    bounds: Sequence[Any] = ()
    partitions: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    user: str = ""
    driver: str = ""

    def __post_init__(self) -> None:
        where = f"reads[{self.name!r}]"
        one = (self.table is None) != (self.query is None)
        require(one, f"{where}: a read by 'jdbc' takes one of 'table' and 'query'")
        asked = self.table or self.query
        told = f"{where}: table or query is text, not {asked!r}"
        require(isinstance(asked, str) and asked.strip(), told)
        self._check_parts(where)
        told = f"{where}: options={self.options!r}; give a mapping, such as {{'fetchsize': 1000}}"
        require(isinstance(self.options, Mapping), told)
        refused = dict(filter(_is_refused, self.options.items()))
        told = f"{where}: options {sorted(refused)} are the connection's or the read's own to set"
        require(not refused, told)
        require(
            not carries_secret(self.url),
            f"{where}: connection {self.jdbc!r} has a secret in its address; give it as the "
            "connection's password",
        )
        options = {str(key): str(value) for key, value in self.options.items()}
        object.__setattr__(self, "options", options)

    def _check_parts(self, where: str) -> None:
        given = (self.partition_column, tuple(self.bounds), self.partitions)
        count = sum(map(bool, given))
        told = f"{where}: partition_column, bounds=[low, high] and partitions go together"
        require(count in (0, len(given)), told)
        require(len(tuple(self.bounds)) in (0, 2), told)
        object.__setattr__(self, "bounds", tuple(map(str, self.bounds)))

    @property
    def source(self) -> str:
        """The connection's id and the table, as a person would write it."""
        return f"{self.jdbc}: {self.table or 'a query'}"


def _is_refused(option: tuple[object, object]) -> bool:
    key, value = option
    return str(key).lower() in _OURS or is_secret(str(key), value)
