"""What one attempt did so far; it becomes the report, whatever happens."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from tidegate.contract import SAYS, Failure, Input, Judgement, Outcome, Output, Report, StageSpec


def say(text: str) -> None:
    """Tell whoever follows the task log."""
    sys.stdout.write(f"{SAYS}{text}\n")
    sys.stdout.flush()


class Record:
    """Collects an attempt's report step by step."""

    def __init__(self, spec: StageSpec) -> None:
        self._spec = spec
        self._steps: dict[str, float] = {}
        self.inputs: tuple[Input, ...] = ()
        self.judgement: Judgement | None = None
        self.output: Output | None = None
        self.spark: dict[str, Any] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, in seconds, also if it fails."""
        began = monotonic()
        try:
            yield
        finally:
            self._steps[name] = round(monotonic() - began, 2)

    @property
    def last_step(self) -> str:
        """The step that was under way last."""
        return next(reversed(self._steps), "start")

    def save(self, outcome: Outcome, failure: Failure | None = None) -> None:
        """Write the report, whole or not at all."""
        report = Report(
            attempt=self._spec.attempt,
            kind=self._spec.kind,
            outcome=outcome,
            judgement=self.judgement,
            inputs=self.inputs,
            output=self.output,
            steps=self._steps,
            spark=self.spark,
            failure=failure,
        )
        write_whole(self._spec.report_file, report.to_json())


def write_whole(file: Path, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(file)
