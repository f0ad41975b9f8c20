"""The target of a gate of its own: the data is judged where it is, and left there."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.targets.table.file_facts import facts_of_live
from tidegate.errors import SpecError


@dataclass(frozen=True)
class Nowhere:
    """Takes data and moves none; both target and fenced target, as there is nobody to fence off."""

    spark: SparkSession
    source: str
    snapshot: int | None

    def begin(self) -> "Nowhere":
        """Return itself: there is nothing to fence."""
        return self

    def write_aside(self, output: object, gate: Gate) -> "Seen":
        """Write nothing: the data is judged where it lies, only the columns that the suite needs.

        :raises SpecError: if it is no frame.
        """
        if not isinstance(output, DataFrame):
            given = type(output).__name__
            raise SpecError(f"{self.source}: a gate judges data, not {given}")
        gate.plan(output.schema)
        facts = None
        if self.snapshot is not None:
            facts = facts_of_live(self.spark, self.source, self.snapshot)
        return Seen(self.source, output, facts)

    def discard(self) -> None:
        """Do nothing: nothing was written."""


@dataclass(frozen=True)
class Seen:
    """Data that lies where it lay; what a table's files say of it is known already."""

    source: str
    frame: DataFrame
    facts: FileFacts | None
    rows: int | None = None
    let_through: Outcome = "passed"

    def publish(self, judgement: Judgement) -> Output:
        """Say what was judged."""
        return Output(target=self.source)

    def hold(self, judgement: Judgement) -> Output:
        """Say what was judged; its readers wait behind this gate."""
        return Output(target=self.source, held_at=self.source)

    def discard(self) -> None:
        """Do nothing: nothing was written."""
