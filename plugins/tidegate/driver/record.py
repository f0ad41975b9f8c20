"""What one attempt did so far; it becomes the report, whatever happens."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from tidegate.contract import (
    Failure,
    Flow,
    Input,
    Judgement,
    Outcome,
    Output,
    Report,
    StageSpec,
    scrub,
)
from tidegate.driver.channel import Channel
from tidegate.driver.files import files_of
from tidegate.store import DOCS, REPORT

_DESCRIBED = {"write": "write aside", "gate": "gate"}
"""The steps whose Spark jobs bear a description in Spark's UI."""


def _unheard(_: str) -> None:
    """Say nothing, before there is a Spark to describe jobs to."""


class Record:
    """Collects an attempt's report step by step; a :class:`~.targets.settle.Progress`."""

    def __init__(self, spec: StageSpec) -> None:
        self._spec = spec
        self._files = files_of(spec)
        self._steps: dict[str, float] = {}
        self._judgement: Judgement | None = None
        self.channel = Channel(self._files)
        self.last_step = "start"
        self.describe: Callable[[str], object] = _unheard
        self.inputs: tuple[Input, ...] = ()
        self.flow: Flow | None = None
        """What a stream has done so far."""
        self.spark: dict[str, Any] = {}
        self.secrets: Sequence[str] = tuple(spec.conf.values())
        """Values that nothing written may hold."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, in seconds, also if it fails."""
        began = monotonic()
        self.last_step = name
        if name in _DESCRIBED:
            self.describe(f"{self._spec.attempt.task_id}: {_DESCRIBED[name]}")
        try:
            yield
        finally:
            # A stream takes the same step once a micro-batch.
            self._steps[name] = self._steps.get(name, 0.0) + monotonic() - began

    def wrote(self, rows: int | None) -> None:
        """Tell that everything is written aside."""
        counted = ""
        if rows is not None:
            counted = f"{rows:,} rows "
        self.channel.say(f"wrote {counted}aside")

    @property
    def judgement(self) -> Judgement | None:
        """The verdict that was kept last."""
        return self._judgement

    def judged(self, judgement: Judgement, page: str) -> None:
        """Keep the verdict, and write its page, before anything follows from it."""
        self._judgement = judgement
        if page:
            self._files.write(DOCS, scrub(page, self.secrets))

    def save(
        self, outcome: Outcome, output: Output | None = None, failure: Failure | None = None
    ) -> None:
        """Write the report, whole or not at all, and without any secret."""
        report = Report(
            attempt=self._spec.attempt,
            kind=self._spec.kind,
            outcome=outcome,
            judgement=self._judgement,
            inputs=self.inputs,
            output=output,
            steps={name: round(seconds, 2) for name, seconds in self._steps.items()},
            spark=self.spark,
            failure=failure,
            flow=self.flow,
        )
        self._files.write(REPORT, scrub(report.to_json(), self.secrets))
