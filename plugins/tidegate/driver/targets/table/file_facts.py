"""What an Iceberg snapshot says of its data files: the facts that a gate asks first."""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

from tidegate.driver.gate.facts import ColumnFacts, FileFacts
from tidegate.driver.jvm import added_files, live_files
from tidegate.driver.targets.table.dictionaries import Dictionaries

MOST_FILES = 2000
"""Beyond so many files, one query is as fast as reading what each says of itself."""


def facts_of_added(spark: SparkSession, table: str, snapshot: int) -> FileFacts | None:
    """Return what the data files say that a snapshot added; None if that cannot be known."""
    return _facts(spark, added_files(spark, table, snapshot, MOST_FILES))


def facts_of_live(spark: SparkSession, table: str, snapshot: int) -> FileFacts | None:
    """Return what all data files of a snapshot say; None if that cannot be known.

    With rows deleted beside the files, nothing is.
    """
    return _facts(spark, live_files(spark, table, snapshot, MOST_FILES))


def _facts(spark: SparkSession, found: tuple[str, Iterator[str]] | None) -> FileFacts | None:
    if found is None:
        return None
    schema = json.loads(found[0])
    dictionaries = Dictionaries.of(spark, schema)
    try:
        facts = summed(schema, dictionaries.noting(map(json.loads, found[1])))
        return replace(facts, texts=dictionaries.texts)
    except (Py4JError, PySparkException, ValueError, KeyError):
        # Metadata of a shape that is not known here proves nothing: a query is asked instead.
        return None


def summed(schema: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> FileFacts:
    """Sum up what files say; a column that one of them does not know is left out.

    :param schema: Iceberg's, as JSON.
    :param files: data files, each as Iceberg's JSON; one at a time is held.
    """
    columns = {each["id"]: _Column(str(each["type"])) for each in schema["fields"]}
    rows = 0
    for file in files:
        rows += file["record-count"]
        said = _Said(file)
        for number, column in columns.items():
            column.add(said, number)
    named = {each["name"]: columns[each["id"]].facts() for each in schema["fields"]}
    known = {name: facts for name, facts in named.items() if facts is not None}
    return FileFacts(rows=rows, columns=known)


class _Said:
    """What one file says, by the number of the column."""

    def __init__(self, file: Mapping[str, Any]) -> None:
        self.values = _by_number(file, "value-counts")
        self.nulls = _by_number(file, "null-value-counts")
        self.nans = _by_number(file, "nan-value-counts")
        self.low = _by_number(file, "lower-bounds")
        self.high = _by_number(file, "upper-bounds")


def _by_number(file: Mapping[str, Any], what: str) -> dict[int, Any]:
    told = file.get(what)
    if not told:
        return {}
    return dict(zip(told["keys"], told["values"], strict=True))


@dataclass
class _Column:
    """One column over all files."""

    type_: str
    nulls: int = 0
    nans: int = 0
    counted: bool = True
    bounded: bool = True
    bounds: list[Any] = field(default_factory=list)

    def add(self, said: _Said, number: int) -> None:
        """Add what one file says."""
        if number not in said.values or number not in said.nulls:
            # The writer's metrics mode left it out: nothing is known of the column.
            self.counted = False
            return
        self.nulls += said.nulls[number]
        self.nans += said.nans.get(number, 0)
        filled = said.values[number] - said.nulls[number] - said.nans.get(number, 0)
        if filled:
            self._bound(said.low.get(number), said.high.get(number))

    def facts(self) -> ColumnFacts | None:
        """Return what all files together say; None if one does not."""
        if not self.counted:
            return None
        if not self.bounded or not self.bounds:
            return ColumnFacts(nulls=self.nulls, nans=self.nans)
        low = min(self.bounds)
        high = max(self.bounds)
        return ColumnFacts(nulls=self.nulls, nans=self.nans, low=low, high=high)

    def _bound(self, low: str | None, high: str | None) -> None:
        read = _reader(self.type_)
        if read is None or low is None or high is None:
            self.bounded = False
            return
        with suppress(OverflowError, ValueError, OSError):
            # A date that Python cannot hold proves nothing.
            ends = [read(bytes.fromhex(low)), read(bytes.fromhex(high))]
            self.bounds = [min(ends + self.bounds), max(ends + self.bounds)]
            return
        self.bounded = False


def _unpack(form: str) -> Callable[[bytes], Any]:
    return lambda data: struct.unpack(form, data)[0]


_READERS: Mapping[str, Callable[[bytes], Any]] = {
    "int": _unpack("<i"),
    "long": _unpack("<q"),
    "float": _unpack("<f"),
    "double": _unpack("<d"),
    "boolean": lambda data: data != b"\x00",
    "date": lambda data: DateType().fromInternal(struct.unpack("<i", data)[0]),
    "timestamptz": lambda data: TimestampType().fromInternal(struct.unpack("<q", data)[0]),
    "timestamp": lambda data: TimestampNTZType().fromInternal(struct.unpack("<q", data)[0]),
}
"""Iceberg's single-value serialization, by type; strings and binary are cut, and so no bounds."""


def _reader(type_: str) -> Callable[[bytes], Any] | None:
    if type_.startswith("decimal("):
        scale = int(type_.removesuffix(")").rpartition(",")[2])
        return lambda data: Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-scale)
    return _READERS.get(type_)
