"""The target of a gate of its own: the data is read once, judged, and left where it is."""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.errors import SpecError


@dataclass(frozen=True)
class Nowhere:
    """Takes data and moves none; both target and fenced target, as there is nobody to fence off."""

    source: str

    def begin(self) -> "Nowhere":
        """Return itself: there is nothing to fence."""
        return self

    def write_aside(self, output: object, gate: Gate) -> "Seen":
        """Read the data once, to nowhere.

        :raises SpecError: if it is no frame.
        """
        if not isinstance(output, DataFrame):
            given = type(output).__name__
            raise SpecError(f"{self.source}: a gate judges data, not {given}")
        gate.observe(output).write.format("noop").mode("overwrite").save()
        return Seen(self.source, output)

    def discard(self) -> None:
        """Do nothing: nothing was written."""


@dataclass(frozen=True)
class Seen:
    """Data that was read once."""

    source: str
    frame: DataFrame
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
