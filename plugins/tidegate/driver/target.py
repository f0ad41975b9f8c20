"""Where a stage's output goes: the five steps that a table, a model or nothing at all each take in their own way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Output
from tidegate.errors import SpecError

Observe = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """Output written aside: the frame that reads it back, and its row count if the store knows it."""

    frame: DataFrame
    rows: int | None = None


class Target(Protocol):
    """A place that staged output can be published to."""

    def begin(self) -> Output | None:
        """Fence off every older attempt of this stage.

        :return: the output, if an earlier try of the same run left it judged and passed; it is published now.
        :raises PublishError: if a newer attempt has already begun.
        """

    def stage(self, output: object, observe: Observe) -> Staged:
        """Write ``output`` aside, in one pass, with ``observe`` applied as the last step before the write."""

    def publish(self, judgement: Judgement) -> Output:
        """Make what was staged the one thing readers see.

        :raises PublishError: if a newer attempt has fenced this one off, or the target has moved in conflict.
        """

    def hold(self, judgement: Judgement) -> Output:
        """Leave what was staged aside for inspection; readers see what they saw before."""

    def discard(self) -> None:
        """Drop what was staged, keeping the fence, after the stage failed before a verdict."""


class Nowhere:
    """The target of a gate of its own: the data is read once, judged, and left where it is."""

    def __init__(self, source: str) -> None:
        self._source = source

    def begin(self) -> Output | None:
        """Do nothing: there is nothing to fence."""
        return None

    def stage(self, output: object, observe: Observe) -> Staged:
        """Read the data once, to nowhere."""
        if not isinstance(output, DataFrame):
            raise SpecError(f"{self._source}: a gate judges data, not {type(output).__name__}")
        observe(output).write.format("noop").mode("overwrite").save()
        return Staged(frame=output)

    def publish(self, judgement: Judgement) -> Output:
        """Say what was judged."""
        return Output(target=self._source)

    def hold(self, judgement: Judgement) -> Output:
        """Say what was judged; its readers wait behind this gate."""
        return Output(target=self._source, held_at=self._source)

    def discard(self) -> None:
        """Do nothing: nothing was written."""
