"""How long each step of a stage takes, as ``settle`` takes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from tidegate.contract import Judgement


class Clock:
    """Seconds by step; a ``Progress`` of :mod:`tidegate.driver.targets.settle`."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.judgement: Judgement | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        began = monotonic()
        yield
        self.steps[name] = monotonic() - began

    def wrote(self, rows: int | None) -> None:
        """Do nothing."""

    def judged(self, judgement: Judgement, page: str) -> None:
        """Keep the verdict."""
        self.judgement = judgement
