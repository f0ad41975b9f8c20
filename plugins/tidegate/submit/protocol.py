"""What every way to run a driver is asked and offers, and who listens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.contract import Attempt, StageSpec
from tidegate.errors import TidegateError
from tidegate.store import AttemptFiles, Store
from tidegate.submit.secrets import Settings


class Listener(Protocol):
    """Who is told what a driver says while it works."""

    def say(self, text: str) -> None:
        """Take one line for the task log; it is clean, and bounded."""

    def spark_ui(self, address: str) -> None:
        """Take the address of Spark's UI; at most once, and http(s) only."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One attempt that is to have a driver.

    :param spec: what the driver is asked to do; it lies among the files already.
    :param settings: the operator's Spark arguments, parted by what may be seen of them.
    :param store: of all attempts' files.
    :param project: the folder that spark-submit runs in.
    :param listener: is told what the driver means for the task log.
    """

    spec: StageSpec
    settings: Settings
    store: Store
    project: Path
    listener: Listener

    @property
    def files(self) -> AttemptFiles:
        """The attempt's files on this machine."""
        return AttemptFiles(self.spec.folder)

    @property
    def name(self) -> str:
        """The Spark application's name."""
        return f"{self.spec.attempt.dag_id}.{self.spec.attempt.task_id}"


class Submission(Protocol):
    """One driver of one attempt.

    However it is submitted: its report and what it tells lie among the order's files, on this
    machine, while it is followed and when it has ended; and so does its log, as far as it can be
    had.
    """

    @property
    def attempt(self) -> Attempt:
        """Whose driver it is: the order's, or an earlier try's that was found to run still."""

    def start(self) -> None:
        """Make everything ready that a driver needs.

        :raises SpecError: if this machine or its configuration lacks something.
        """

    def follow(self) -> int:
        """Run the driver to its end; return its exit code (negative: killed by that signal)."""

    def end(self) -> None:
        """End the driver and everything it started; do nothing if it has ended."""

    def lost(self, exit_code: int) -> TidegateError:
        """Return what it means that the driver ended with this code and left no report."""
