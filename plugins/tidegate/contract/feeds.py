"""What a stream reads message by message: a class a source, each valid from birth."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import permutations
from typing import Any, Self

from tidegate.contract.secrets import carries_secret, is_secret
from tidegate.errors import SpecError, require

_LINES = ("json", "csv", "raw")
MESSAGE_FORMATS = ("json", "csv", "avro", "raw")
ABOUT = "_kafka"
"""The column with all that a message has beside its value."""
SECURED = "spark.tidegate.read."
"""Begins the names in a spec's conf that are options of a read, and no setting of Spark's."""
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_EDGES = ("earliest", "latest")


@dataclass(frozen=True, kw_only=True)
class KafkaRead:
    """Topics of a Kafka cluster, as a stream of messages.

    :param kafka: one topic, several with commas, or, with ``pattern``, a regular expression.
    :param servers: ``host:port``, several with commas; or ``conn_id`` names an Airflow connection
        of type ``kafka``, which has them, and what secures the way there.
    :param format: of a message's value; ``raw`` gives it as the bytes it is.
    :param schema: of the value, in Spark DDL; of ``avro``, Avro's own JSON.
    :param starting: where the first run begins: ``earliest``, ``latest``, or a time (ISO 8601).
    :param options: further options of Spark's source.
    :raises SpecError: if any of them cannot be.
    """

    name: str
    kafka: str
    servers: str | None = None
    conn_id: str | None = None
    format: str = "json"
    schema: str | None = None
    starting: str = "earliest"
    pattern: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"reads[{self.name!r}]"
        self._check_place(where)
        told = f"{where}: format={self.format!r}; use one of {MESSAGE_FORMATS}"
        require(self.format in MESSAGE_FORMATS, told)
        _check_schema(where, self.format, self.schema)
        if self.starting not in _EDGES:
            self.starting_ms(where)
        object.__setattr__(self, "options", _options(where, self.options))

    def _check_place(self, where: str) -> None:
        require(
            self.pattern or all(map(_TOPIC.fullmatch, self.topics)),
            f"{where}: kafka={self.kafka!r}; give a topic, several with commas, or add "
            "'pattern': True for a regular expression",
        )
        one = [each for each in (self.servers, self.conn_id) if each]
        told = (
            f"{where}: give 'servers' ('host:9092') or 'conn_id' (an Airflow connection of type "
            "kafka)"
        )
        require(one, told)
        told = f"{where}: servers carries a password; keep it in a connection, and give conn_id"
        require(not carries_secret(self.servers or ""), told)

    @property
    def stream(self) -> bool:
        """That it is one."""
        return True

    def bounded(self, most: int | None) -> Self:
        """Return this read with at most so many messages in one micro-batch."""
        if most is None:
            return self
        return replace(self, options={**self.options, "maxOffsetsPerTrigger": str(most)})

    def with_secrets(self, options: Mapping[str, str]) -> Self:
        """Return this read with options of a connection's, which no DAG may hold."""
        secured = replace(self)
        object.__setattr__(secured, "options", {**self.options, **options})
        return secured

    @property
    def topics(self) -> list[str]:
        """The topics' names; of a pattern, itself."""
        return self.kafka.split(",")

    def takes(self, topic: str) -> bool:
        """Tell whether a topic is one of those that are read, as far as Python can tell.

        Kafka's client looks for a pattern anywhere in a name.
        """
        if not self.pattern:
            return topic in self.topics
        try:
            return re.search(self.kafka, topic) is not None
        except re.error:  # Java, which reads it, has forms that Python has not
            return False

    @property
    def source(self) -> str:
        """The topics, as a person would name them."""
        return f"kafka {self.kafka}"

    def starting_ms(self, where: str = "") -> int:
        """Return the time that the first run begins at, in milliseconds.

        :raises SpecError: if it is none.
        """
        try:
            return int(datetime.fromisoformat(self.starting).timestamp() * 1000)
        except (ValueError, TypeError):
            raise SpecError(
                f"{where}: starting={self.starting!r}; use 'earliest', 'latest' or a time such as "
                "'2013-01-01T00:00:00+00:00'"
            ) from None


@dataclass(frozen=True, kw_only=True)
class SocketRead:
    """Lines that a TCP server sends.

    :param socket: ``host:port``.
    :param format: of a line; ``raw`` gives it as the text it is.
    :param spool: the folder in which lines lie until they are on main; driver and executors share
        it. Default: one below the project, by DAG, task and input.
    :raises SpecError: if any of them cannot be.
    """

    name: str
    socket: str
    format: str = "json"
    schema: str | None = None
    spool: str | None = None

    def __post_init__(self) -> None:
        where = f"reads[{self.name!r}]"
        _, colon, port = self.socket.rpartition(":")
        told = f"{where}: socket={self.socket!r}; give 'host:port'"
        require(colon and port.isdecimal(), told)
        told = f"{where}: format={self.format!r}; a line is one of {_LINES}"
        require(self.format in _LINES, told)
        _check_schema(where, self.format, self.schema)

    @property
    def stream(self) -> bool:
        """That it is one."""
        return True

    @property
    def source(self) -> str:
        """The server, as a person would name it."""
        return f"tcp {self.socket}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.socket.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def folder(self) -> str:
        """The spool, as a path of this machine."""
        return str(self.spool).removeprefix("file://")


def check_apart(reads: Iterable[object]) -> None:
    """Refuse topics of two inputs: by its offsets alone, no message would tell whose it is.

    :raises SpecError: naming the first topic that two inputs read, also if its name alone is the
        same and its cluster another.
    """
    of_kafka = [read for read in reads if isinstance(read, KafkaRead)]
    for one, other in permutations(of_kafka, 2):
        shared = list(filter(one.takes, other.topics))
        require(
            not shared,
            f"reads {one.name!r} and {other.name!r} both take the Kafka topic {shared[:1]}; read a "
            "topic once and use its frame twice in the job; of two clusters, give the topics "
            "names of their own, or a stage each",
        )


def _check_schema(where: str, format_: str, schema: str | None) -> None:
    has_schema = isinstance(schema, str) and bool(schema.strip())
    needs = "needs one, e.g. 'id INT'"
    if has_schema:
        needs = "has none: it gives the bytes"
    told = f"{where}: schema={schema!r}; {format_!r} {needs}"
    require(has_schema != (format_ == "raw"), told)


def _options(where: str, options: Any) -> dict[str, str]:
    told = f"{where}: options={options!r}; give a mapping, such as {{'minPartitions': 8}}"
    require(isinstance(options, Mapping), told)
    named = {str(key): str(option) for key, option in options.items()}
    secret = [key for key, option in named.items() if is_secret(key, option)]
    told = f"{where}: {secret} belong into an Airflow connection of type kafka; give its conn_id"
    require(not secret, told)
    return named
