"""How rows are written aside: a small class a write mode."""

import logging
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import Protocol

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from tidegate.contract import StageSpec
from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.metadata import Branch, Metadata
from tidegate.driver.targets.table.names import column, quoted_table
from tidegate.errors import SpecError, TidegateError

log = logging.getLogger(__name__)


class WriteMode(Protocol):
    """One way to change a branch, and to read back what it changed."""

    def write(self, frame: DataFrame, place: "Place", now: Metadata) -> None:
        """Write ``frame`` to the branch, in one pass; ``now`` is the table before it."""

    def rows_of(self, place: "Place", staged: int, base: int | None) -> DataFrame:
        """Read what this attempt wrote, and nothing else.

        :param staged: the snapshot that holds it.
        :param base: main's snapshot when the branch was opened, None if there was none.
        """


@dataclass(frozen=True)
class Place:
    """The branch of an attempt, and what every snapshot on it says of its origin.

    :param part: ends the sidecar's name: a micro-batch has one of its own, because the session of a
        stream remembers a table that was dropped, and creates none of its name.
    """

    spark: SparkSession
    table: BranchedTable
    branch: Branch
    provenance: Provenance
    part: str = ""

    @property
    def name(self) -> str:
        """The branch, as Spark names it."""
        return f"{self.table.name}.branch_{self.branch.name}"

    @property
    def sidecar(self) -> str:
        """Where rows wait for their verdict that are to be merged, or have new columns.

        Each attempt has its own: what one that is fenced off writes or drops is no other's.
        """
        return f"{self.table.name}__staged_{self.branch.attempt}{self.part}"

    @property
    def schema(self) -> StructType:
        """The table's schema; a branch has no other."""
        return self.spark.table(self.table.name).schema

    def writer(self, frame: DataFrame, to: str | None = None) -> DataFrameWriterV2:
        """Return a writer whose snapshot carries the provenance."""
        writer = frame.writeTo(to or self.name)
        for key, value in self.provenance.as_summary().items():
            writer = writer.option(f"snapshot-property.{key}", value)
        return writer

    def at_turn(self, order: int) -> "Place":
        """Return this place for an attempt that is ordered by ``order``."""
        return replace(
            self,
            branch=replace(self.branch, submitted_ms=order),
            provenance=replace(self.provenance, submitted_ms=order),
        )

    def drop_sidecar(self) -> None:
        """Drop the sidecar, if there is one."""
        self._drop(self.sidecar)

    def drop_older_sidecars(self) -> None:
        """Drop what older attempts of this stage left aside."""
        namespace, _, table = self.table.name.rpartition(".")
        begins = f"{table}__staged_"
        for row in self.spark.sql(f"SHOW TABLES IN {quoted_table(namespace)}").collect():
            # One of a newer attempt, which has begun meanwhile, is its own to drop.
            if self.branch.is_behind(row.tableName.removeprefix(begins)):
                self._drop(f"{namespace}.{row.tableName}")

    def _drop(self, table: str) -> None:
        self.spark.sql(f"DROP TABLE IF EXISTS {quoted_table(table)} PURGE")

    def discard(self) -> None:
        """Drop what was written aside; the token stays, so that older attempts stay fenced off."""
        try:
            # Not the token: without it, an older attempt that only begins now would see no newer
            # one, and publish.
            self.table.drop(self.branch.name)
            self.drop_sidecar()
        except (TidegateError, Py4JError, PySparkException, OSError) as error:
            # The stage has failed already, and that failure is the one to tell.
            name = type(error).__name__
            log.warning("what was staged could not be dropped (%s); the next attempt will", name)

    def read(self, **options: int) -> DataFrame:
        """Read the table at what the options say."""
        reader = self.spark.read
        for name, value in options.items():
            reader = reader.option(name.replace("_", "-"), value)
        return reader.table(self.table.name)


class Append:
    """Adds rows."""

    def write(self, frame: DataFrame, place: Place, now: Metadata) -> None:
        """Append to the branch."""
        place.writer(frame).append()

    def rows_of(self, place: Place, staged: int, base: int | None) -> DataFrame:
        """Read what was added since the branch was opened."""
        if base is None:
            return place.read(versionAsOf=staged)
        return place.read(start_snapshot_id=base, end_snapshot_id=staged)


class ReplaceTable:
    """Replaces every row."""

    def write(self, frame: DataFrame, place: Place, now: Metadata) -> None:
        """Overwrite the branch."""
        place.writer(frame).overwrite(F.lit(True))

    def rows_of(self, place: Place, staged: int, base: int | None) -> DataFrame:
        """Read the branch."""
        return place.read(versionAsOf=staged)


@dataclass(frozen=True)
class ReplacePartition:
    """Replaces exactly one partition, ``{column: value}``."""

    partition: dict[str, str]

    def write(self, frame: DataFrame, place: Place, now: Metadata) -> None:
        """Overwrite the partition on the branch, also with nothing."""
        if set(self.partition) != now.identity or now.other_transforms:
            place.writer(frame).overwrite(self._within(place.schema))
            return
        # One partition: no shuffle by partition is needed, and unlike overwrite(…) the commit can
        # be cherry-picked when another partition was published meanwhile.
        writer = place.writer(frame).option("distribution-mode", "none")
        writer.overwritePartitions()
        after = place.table.metadata()
        if after.refs[place.branch.name] == now.refs[place.branch.name]:
            self._empty(place)

    def rows_of(self, place: Place, staged: int, base: int | None) -> DataFrame:
        """Read the partition on the branch."""
        table = place.read(versionAsOf=staged)
        return table.where(self._within(table.schema))

    def _empty(self, place: Place) -> None:
        # A dynamic overwrite with no rows replaces nothing; yesterday's rows must go all the same.
        # An overwrite by a filter cannot be cherry-picked, so it stays the exception.
        nothing = place.spark.createDataFrame([], place.schema)
        place.writer(nothing).overwrite(self._within(place.schema))

    def _within(self, schema: StructType) -> Column:
        terms = []
        for name, value in self.partition.items():
            terms.append(column(name) == F.lit(value).cast(schema[name].dataType))
        return reduce(and_, terms)


def write_mode(spec: StageSpec) -> WriteMode:
    """Return how a stage's arguments ask it to write."""
    if spec.mode == "append":
        return Append()
    if spec.partition:
        return ReplacePartition(dict(spec.partition))
    return ReplaceTable()


def check_partitioning(spec: StageSpec, now: Metadata) -> None:
    """Refuse a table that is partitioned in another way than the stage writes it.

    :raises SpecError: naming both.
    """
    missing = [column for column in spec.partition if column not in now.identity]
    if missing:
        by = sorted(now.identity | set(now.other_transforms)) or "nothing"
        raise SpecError(
            f"{spec.writes} is partitioned by {by}, not by {missing}: a stage replaces whole "
            "partitions; write another table, or change how this one is partitioned"
        )
