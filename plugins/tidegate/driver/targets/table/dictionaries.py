"""The values of a table's columns of text, where its Parquet files have each in a dictionary."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from tidegate.driver.gate.facts import Texts
from tidegate.driver.jvm.parquet import dictionaries

_MOST_CHUNKS = 1000
"""Beyond so many columns of files, to look for their dictionaries takes longer than a query."""
_SECONDS = 1.0
"""After which a store counts as too far away to be asked file by file."""
_SIZE = 4
"""Bytes before each value, that tell how long it is."""


@dataclass
class Dictionaries:
    """The dictionaries of some data files.

    :param ids: of the columns of text, by name.
    :param width: how many columns there are.
    """

    spark: SparkSession
    ids: Mapping[str, int]
    width: int
    _paths: list[str] = field(default_factory=list)
    _formats: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, spark: SparkSession, schema: Mapping[str, Any]) -> "Dictionaries":
        """Return those of no file yet, of a table with Iceberg's ``schema``."""
        texts = [each for each in schema["fields"] if each["type"] == "string"]
        ids = {each["name"]: each["id"] for each in texts}
        return cls(spark, ids, len(schema["fields"]))

    def noting(self, files: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield what it is given, and note that the dictionaries are of those files.

        :param files: data files, each as Iceberg's JSON.
        """
        for file in files:
            self._paths.append(file["file-path"])
            self._formats.add(str(file["file-format"]).lower())
            yield file

    def texts(self, columns: Set[str]) -> Texts:
        """Return the values of those columns whose every value is in a dictionary."""
        asked = {name: self.ids[name] for name in self.ids.keys() & columns}
        chunks = len(self._paths) * self.width
        if self._formats != {"parquet"} or chunks > _MOST_CHUNKS:
            return {}
        try:
            pages = dictionaries(self.spark, self._paths, asked.values(), _SECONDS)
            names = {number: name for name, number in asked.items()}
            return {names[number]: values_of(found) for number, found in pages.items()}
        except (Py4JError, ValueError):
            # Hadoop reaches no file there, or a value is no text: a query is asked instead.
            return {}


def values_of(pages: Iterable[bytes]) -> Collection[str]:
    """Return the values of dictionaries in Parquet's plain encoding.

    https://parquet.apache.org/docs/file-format/data-pages/encodings/
    """
    found: set[str] = set()
    for page in set(pages):
        found.update(_values(page))
    return found


def _values(page: bytes) -> Iterator[str]:
    at = 0
    while at < len(page):
        begin = at + _SIZE
        at = begin + int.from_bytes(page[at:begin], "little")
        yield page[begin:at].decode()
