"""Opening a stage's inputs: each by the file of its source, each at one fixed state of the data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import (
    Input,
    JdbcRead,
    KafkaRead,
    ModelRead,
    PathRead,
    Read,
    SocketRead,
    TableRead,
)
from tidegate.driver.inputs import files, jdbc, models, sockets, tables, topics
from tidegate.driver.inputs.found import Feed, Found
from tidegate.driver.inputs.letters import Letters
from tidegate.errors import DataError

_OPEN: Mapping[type[Read], Callable[[SparkSession, Any], Found]] = {
    PathRead: files.open_path,
    TableRead: tables.open_table,
    ModelRead: models.open_model,
    JdbcRead: jdbc.open_jdbc,
    KafkaRead: topics.open_topics,
    SocketRead: sockets.open_socket,
}
"""To add a source: a class in ``contract/reads.py``, a file here, and its entry."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A stage's inputs.

    :param offered: what the job is offered, by name: frames and models.
    :param inputs: what the report says of them.
    :param states: what identifies them, for the fingerprint of the work.
    :param feeds: what brings messages here while a stream works.
    :param letters: what finds the messages that did not parse, by the name of their stream.
    """

    offered: Mapping[str, object]
    inputs: tuple[Input, ...]
    states: tuple[str, ...]
    letters: Mapping[str, Letters] = field(default_factory=dict)
    feeds: tuple[Feed, ...] = ()


def open_inputs(spark: SparkSession, reads: tuple[Read, ...]) -> Opened:
    """Open every read, and register frames as views of the same name.

    :raises DataError: if a path, table or model is not there or cannot be read.
    """
    found = {read.name: _open(spark, read) for read in reads}
    letters = {}
    for name, each in found.items():
        if each.letters is not None:
            letters[name] = each.letters
        if isinstance(each.value, DataFrame):
            each.value.createOrReplaceTempView(name)
    return Opened(
        offered={name: each.value for name, each in found.items()},
        inputs=tuple(each.seen for each in found.values()),
        states=tuple(each.state for each in found.values()),
        letters=letters,
        feeds=tuple(filter(None, (each.feed for each in found.values()))),
    )


def _open(spark: SparkSession, read: Read) -> Found:
    try:
        return _OPEN[type(read)](spark, read)
    except (AnalysisException, Py4JJavaError) as error:
        # Spark's own text is a stack of plans; its first line says what is wrong.
        told = str(getattr(error, "java_exception", error))
        first = told.splitlines()[0]
        where = f"input {read.name!r}: cannot read {read.source}"
        raise DataError(where, quote=first) from error
