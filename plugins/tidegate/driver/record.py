"""What one attempt did so far; it becomes the report, whatever happens."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from tidegate.contract import (
    SAYS,
    Failure,
    Input,
    Judgement,
    Outcome,
    Output,
    Report,
    StageSpec,
)
from tidegate.store import DOCS, REPORT, AttemptFiles


def say(text: str) -> None:
    """Tell whoever follows the task log."""
    sys.stdout.write(f"{SAYS}{text}\n")
    sys.stdout.flush()


_DESCRIBED = {"write": "write aside", "gate": "gate"}
"""The steps whose Spark jobs bear a description in Spark's UI."""


def _unheard(_: str) -> None:
    """Say nothing, before there is a Spark to describe jobs to."""


class Record:
    """Collects an attempt's report step by step; a :class:`~.targets.settle.Progress`."""

    def __init__(self, spec: StageSpec) -> None:
        self._spec = spec
        self._files = AttemptFiles(spec.folder)
        self._steps: dict[str, float] = {}
        self._judgement: Judgement | None = None
        self.last_step = "start"
        self.describe: Callable[[str], object] = _unheard
        self.inputs: tuple[Input, ...] = ()
        self.spark: dict[str, Any] = {}

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
            self._steps[name] = round(monotonic() - began, 2)

    def wrote(self, rows: int | None) -> None:
        """Tell that everything is written aside."""
        counted = "" if rows is None else f"{rows:,} rows "
        say(f"wrote {counted}aside")

    def judged(self, judgement: Judgement, page: str) -> None:
        """Keep the verdict, and write its page, before anything follows from it."""
        self._judgement = judgement
        if page:
            self._files.write(DOCS, page)

    def save(
        self, outcome: Outcome, output: Output | None = None, failure: Failure | None = None
    ) -> None:
        """Write the report, whole or not at all."""
        report = Report(
            attempt=self._spec.attempt,
            kind=self._spec.kind,
            outcome=outcome,
            judgement=self._judgement,
            inputs=self.inputs,
            output=output,
            steps=self._steps,
            spark=self.spark,
            failure=failure,
        )
        self._files.write(REPORT, report.to_json())
