"""Dead letters: what did not parse goes to a table of its own, as exactly once as the rest.

They are published right before their micro-batch: a kill between the two leaves them with their
mark, by which the next attempt passes them over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.inputs.letters import LETTER, Letters, Span
from tidegate.driver.jvm.streams import observed
from tidegate.driver.stream.seen import named
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.table.stream import BatchOfTable, StagedBatch, StreamTable
from tidegate.driver.targets.target import Staged

PASS = Judgement(verdict="pass")


@dataclass(kw_only=True)
class DeadLetters:
    """The dead letters of a stream.

    :param table: where they go.
    :param inputs: how those of each input are counted and found, by its name.
    :param gate: lets all of them pass.
    :param count: how many there are in the last micro-batch that was staged.
    """

    spark: SparkSession
    table: StreamTable
    inputs: Mapping[str, Letters]
    gate: Gate
    count: int = 0

    def begin(self) -> None:
        """Fence older attempts off, as the stream's own table does."""
        if self.inputs:
            self.table.begin(self.spark.createDataFrame([], LETTER))

    def end(self) -> None:
        """Remove the attempt's refs."""
        if self.inputs:
            self.table.end()

    def stage(self, mark: Mark) -> StagedBatch | None:
        """Write aside what of a micro-batch did not parse, if anything, and if main has it not."""
        self.count = 0
        found = []
        for letters in self.inputs.values():
            if observed(self.spark, mark.query, letters.metric):
                found += _of(letters, mark)
        if not found or self._has(mark):
            return None
        dead = reduce(DataFrame.unionByName, found)
        staged = self.table.batch(mark).write_aside(dead, self.gate)
        self.count = staged.rows
        return staged

    def _has(self, mark: Mark) -> bool:
        # By its offsets too: a checkpoint that was made anew counts on from main, and may give the
        # number of an older micro-batch to other messages.
        return _work(mark) in map(_work, self.table.marks())


def _work(mark: Mark) -> tuple[object, ...]:
    return mark.query, mark.number, mark.start, mark.end, mark.files


def _of(letters: Letters, mark: Mark) -> list[DataFrame]:
    found = []
    starts = dict(enumerate(mark.start))
    for place, end in enumerate(mark.end):
        if letters.takes(end):
            span = Span(start=starts.get(place, "-"), end=end, files=named(mark.files, place))
            found.append(letters.within(span))
    return found


@dataclass(frozen=True)
class LetteredBatch:
    """A :class:`~.targets.target.Fenced` micro-batch with its dead letters."""

    batch: BatchOfTable
    letters: DeadLetters

    def write_aside(self, output: object, gate: Gate) -> "LetteredStaged":
        """Write the micro-batch aside, and then what of it did not parse.

        :raises TidegateError: as a table does.
        """
        staged = self.batch.write_aside(output, gate)
        # Counted by the write, so known only behind it.
        return LetteredStaged(staged, self.letters.stage(self.batch.mark))

    def discard(self) -> None:
        """Drop what was written aside; the fence stays."""
        self.batch.discard()


@dataclass(frozen=True)
class LetteredStaged:
    """A :class:`~.targets.target.Staged` micro-batch with its dead letters."""

    staged: Staged
    dead: StagedBatch | None
    let_through: Outcome = "published"

    @property
    def frame(self) -> DataFrame:
        """The frame that reads the micro-batch back."""
        return self.staged.frame

    @property
    def rows(self) -> int | None:
        """How many rows were written."""
        return self.staged.rows

    @property
    def facts(self) -> FileFacts | None:
        """What the written files say of themselves."""
        return self.staged.facts

    def publish(self, judgement: Judgement) -> Output:
        """Publish the dead letters, and then the micro-batch.

        :raises PublishError: as a table does.
        """
        if self.dead is not None:
            self.dead.publish(PASS)
        return self.staged.publish(judgement)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the micro-batch on its branch; its dead letters are found again with it."""
        self._drop_dead()
        return self.staged.hold(judgement)

    def discard(self) -> None:
        """Drop both."""
        self._drop_dead()
        self.staged.discard()

    def _drop_dead(self) -> None:
        if self.dead is not None:
            self.dead.discard()
