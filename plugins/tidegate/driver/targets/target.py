"""Where a stage's output goes: a sequence of values, each of which offers the next step alone."""

from typing import Protocol, runtime_checkable

from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.driver.gate.facts import FileFacts


class Staged(Protocol):
    """Output written aside, which nobody reads yet."""

    @property
    def frame(self) -> DataFrame:
        """The frame that reads back what was written, and nothing else."""

    @property
    def rows(self) -> int | None:
        """How many rows were written, if the store knows."""

    @property
    def facts(self) -> FileFacts | None:
        """What the store knows of what was written without reading it, if it knows anything."""

    @property
    def let_through(self) -> Outcome:
        """The outcome of a stage whose output is published: ``passed`` where nothing is moved."""

    def publish(self, judgement: Judgement) -> Output:
        """Make what was written aside the one thing readers see.

        :raises PublishError: if a newer attempt has fenced this one off, or the target has moved
            in conflict.
        """

    def hold(self, judgement: Judgement) -> Output:
        """Leave what was written aside for inspection; readers see what they saw before."""

    def discard(self) -> None:
        """Drop what was written aside, keeping the fence, where judging it failed; never raises."""


@runtime_checkable
class Sifts(Protocol):
    """Output written aside that takes rows out of itself by what its gate says of them."""

    def sifted(self, gate: Gate) -> tuple[Staged, Judgement]:
        """Judge what was written, and what is left of it anew if rows were taken out.

        :raises TidegateError: as writing aside does.
        """


class Fenced(Protocol):
    """A target that older attempts of the stage cannot publish to any more."""

    def write_aside(self, output: object, gate: Gate) -> Staged:
        """Write ``output`` aside, once; the gate is planned meanwhile.

        :raises SpecError: if the output is none that this target takes.
        :raises PublishError: if a newer attempt has begun.
        """

    def discard(self) -> None:
        """Drop what was written aside, keeping the fence, where the job or the write failed.

        Never raises: what cannot be dropped now, the next attempt drops.
        """


class Target(Protocol):
    """A place that output can be published to."""

    def begin(self) -> Fenced | Output:
        """Fence off every older attempt of this stage.

        :return: the output instead, if an earlier try of the same run left it judged and passed;
            it is published now, and nothing is left to do.
        :raises PublishError: if a newer attempt has already begun.
        """
