"""Settling an output: write aside, judge, publish or hold, in this order and no other."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate import Gate
from tidegate.driver.targets.target import Fenced, Sifts, Staged


class Progress(Protocol):
    """Who is told how far it went."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Time a step: ``write``, ``gate`` or ``publish``."""

    def wrote(self, rows: int | None) -> None:
        """Note that everything is written aside."""

    def judged(self, judgement: Judgement, page: str) -> None:
        """Note the verdict, and its page of Great Expectations, before anything follows from it."""


class Silence:
    """Tells nobody: for tests and benchmarks."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do nothing."""
        yield

    def wrote(self, rows: int | None) -> None:
        """Do nothing."""

    def judged(self, judgement: Judgement, page: str) -> None:
        """Do nothing."""


SILENCE = Silence()
NOT_PUBLISHED = "not published, as asked: readers see what they saw; judged rows are at {}"
"""Says of an output that passed why it stays aside, and where."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """How it ended; ``judgement`` is None where an earlier try had settled it."""

    outcome: Outcome
    output: Output
    judgement: Judgement | None = None


def settle(
    fenced: Fenced,
    output: object,
    gate: Gate,
    progress: Progress = SILENCE,
    *,
    publish: bool = True,
) -> Settled:
    """Write an output aside, judge what was written, and publish or hold it by the verdict.

    A batch stage calls this once, a stream once a micro-batch. What fails before the verdict
    leaves nothing behind; what fails after it leaves the judged output for a retry to publish.

    :param publish: whether an output that passes is published; else it stays aside like a held one.
    :raises TidegateError: as the steps do.
    """
    with ExitStack() as undo:
        undo.callback(fenced.discard)
        with progress.step("write"):
            staged = fenced.write_aside(output, gate)
        undo.callback(staged.discard)
        progress.wrote(staged.rows)
        with progress.step("gate"):
            staged, judgement = _judged(staged, gate)
            # Noted before the publish: if that fails, the report still says what the verdict was.
            progress.judged(judgement, gate.data_docs())
        # Judged work is never thrown away: a retry that finds it publishes it without a job.
        undo.pop_all()
    with progress.step("publish"):
        if judgement.verdict == "closed":
            held = staged.hold(judgement)
            return Settled(outcome="held", output=held, judgement=judgement)
        if not publish:
            aside = staged.hold(judgement)
            told = replace(aside, note=NOT_PUBLISHED.format(aside.held_at))
            return Settled(outcome="passed", output=told, judgement=judgement)
        published = staged.publish(judgement)
        return Settled(outcome=staged.let_through, output=published, judgement=judgement)


def _judged(staged: Staged, gate: Gate) -> tuple[Staged, Judgement]:
    if isinstance(staged, Sifts):
        return staged.sifted(gate)
    return staged, gate.judge(staged.frame, staged.facts)
