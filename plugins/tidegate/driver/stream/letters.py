"""Dead letters: what did not parse goes to a table of its own, as exactly once as the rest.

They are published right before their micro-batch: a kill between the two leaves them with their
mark, by which the next attempt passes them over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import attrgetter

from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.gate.rows import RowRule, any_of
from tidegate.driver.inputs.letters import LETTER, Letters, Span
from tidegate.driver.jvm.streams import observed
from tidegate.driver.stream.broken import letters_of
from tidegate.driver.stream.seen import named
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.table.stream import BatchOfTable, StagedBatch, StreamTable
from tidegate.driver.targets.target import Staged

PASS = Judgement(verdict="pass")


@dataclass(frozen=True)
class Broken:
    """A micro-batch, and the rules that some of its rows break."""

    rows: DataFrame
    rules: Sequence[RowRule]


@dataclass(kw_only=True)
class DeadLetters:
    """The dead letters of a stream.

    :param table: where they go.
    :param inputs: how those of each input are counted and found, by its name.
    :param gate: lets all of them pass.
    :param rules: whether rows that break a rule by themselves are dead letters too.
    :param source: what all messages come from, if that is one.
    :param count: how many there are in the last micro-batch that was staged.
    """

    spark: SparkSession
    table: StreamTable
    inputs: Mapping[str, Letters]
    gate: Gate
    rules: bool = False
    source: str | None = None
    count: int = 0

    @property
    def may_come(self) -> bool:
        """Whether there can be any; else their table is neither fenced nor there."""
        return self.rules or any(letters.metric for letters in self.inputs.values())

    def begin(self) -> None:
        """Fence older attempts off, as the stream's own table does."""
        if self.may_come:
            self.table.begin(self.spark.createDataFrame([], LETTER))

    def end(self) -> None:
        """Remove the attempt's refs."""
        if self.may_come:
            self.table.end()

    def stage(self, mark: Mark, broken: Broken | None) -> StagedBatch | None:
        """Write aside what of a micro-batch is dead, if anything, and if main has it not.

        :param broken: its rows that break a rule, if there are any.
        """
        found = []
        for letters in self.inputs.values():
            if letters.metric and observed(self.spark, mark.query, letters.metric):
                found += _of(letters, letters.within, mark)
        if broken is not None:
            messages = self._messages(mark)
            found.append(letters_of(broken.rows, broken.rules, messages, self.source))
        if not found or self._has(mark):
            return None
        dead = reduce(DataFrame.unionByName, found)
        staged = self.table.batch(mark).write_aside(dead, self.gate)
        self.count = staged.rows
        return staged

    def _messages(self, mark: Mark) -> DataFrame | None:
        """Return all messages of a micro-batch, of the inputs that can be asked for one again."""
        found = []
        for letters in self.inputs.values():
            if letters.messages is not None:
                found += _of(letters, letters.messages, mark)
        if not found:
            return None
        return reduce(DataFrame.unionByName, found)

    def _has(self, mark: Mark) -> bool:
        # By its offsets too: a checkpoint that was made anew counts on from main, and may give the
        # number of an older micro-batch to other messages.
        return _work(mark) in map(_work, self.table.marks())


def _work(mark: Mark) -> tuple[object, ...]:
    return mark.query, mark.number, mark.start, mark.end, mark.files


def _of(letters: Letters, look: Callable[[Span], DataFrame], mark: Mark) -> list[DataFrame]:
    found = []
    starts = dict(enumerate(mark.start))
    for place, end in enumerate(mark.end):
        span = Span(start=starts.get(place, "-"), end=end, files=named(mark.files, place))
        if letters.takes(span):
            found.append(look(span))
    return found


@dataclass(frozen=True)
class LetteredBatch:
    """A :class:`~.targets.target.Fenced` micro-batch with its dead letters."""

    batch: BatchOfTable
    letters: DeadLetters

    def write_aside(self, output: object, gate: Gate) -> "LetteredStaged":
        """Write the micro-batch aside, whole.

        :raises TidegateError: as a table does.
        """
        self.letters.count = 0
        return LetteredStaged(self.batch.write_aside(output, gate), self.letters)

    def discard(self) -> None:
        """Drop what was written aside; the fence stays."""
        self.batch.discard()


@dataclass(frozen=True)
class LetteredStaged:
    """A :class:`~.targets.target.Staged` micro-batch with its dead letters."""

    staged: StagedBatch
    letters: DeadLetters
    dead: StagedBatch | None = None
    let_through: Outcome = "published"

    def sifted(self, gate: Gate) -> tuple[Staged, Judgement]:
        """Judge the micro-batch; take out the rows that broke a rule, and judge the rest anew.

        A rule's share is that of the whole micro-batch. Above its budget the gate is closed.

        :raises TidegateError: as a table does.
        """
        whole = self.staged
        judgement = gate.judge(whole.frame, whole.facts)
        if judgement.verdict == "closed":
            return self, judgement
        rules = gate.row_rules() if self.letters.rules else []
        if not rules:
            # Counted by the write, so known only behind it.
            dead = self.letters.stage(whole.mark, None)
            return replace(self, dead=dead), judgement
        rest = whole.without(any_of(rules))
        # What readers will see has to hold too: a mean, a count of rows.
        judged = gate.judge(rest.frame, rest.facts)
        if judged.verdict == "closed":
            return replace(self, staged=rest), judged
        dead = self.letters.stage(whole.mark, Broken(whole.frame, rules))
        # The first of two that are as grave: the shares of the whole.
        return replace(self, staged=rest, dead=dead), max(
            judgement, judged, key=attrgetter("gravity")
        )

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
