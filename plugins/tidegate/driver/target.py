"""Where a stage's output goes: the five steps that a table, a model or nothing at all each take in their own way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Output

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
