"""From a seed to its outcome, in whichever layer its event needs."""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Self

from tests.chaos import processes, strangers
from tests.chaos.nights import Session
from tests.chaos.outcome import Outcome
from tests.chaos.processes import Yard
from tests.driver.local_spark import local_session

EVENTS = len(strangers.EVENTS) + len(processes.EVENTS)
"""So many seeds in a row have every event once."""


class Chaos:
    """Runs seeds; a context manager. What a layer needs is started when its first seed comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def run(self, seed: int) -> Outcome:
        """Run one seed; the same seed asks for the same again."""
        rng, event = Random(seed), seed % EVENTS
        if event < len(strangers.EVENTS):
            return self._session.run(seed, rng, strangers.EVENTS[event])
        return self._yard.run(seed, rng, processes.EVENTS[event - len(strangers.EVENTS)])

    @cached_property
    def _session(self) -> Session:
        spark = local_session(self._folder / "spark")
        self._undo.callback(spark.stop)
        session = Session(spark, self._folder)
        self._undo.callback(session.close)
        return session

    @cached_property
    def _yard(self) -> Yard:
        (self._folder / "yard").mkdir()
        return self._undo.enter_context(Yard(self._folder / "yard"))
