"""What every way to run a driver is asked and offers, and who listens."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, Self

from tidegate.contract import Attempt, StageSpec
from tidegate.contract.typed import read_as
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
class Warmth:
    """Whether drivers stay for the next attempt.

    :param seconds: how long one waits; 0 for not at all.
    :param most: how many there may be on this machine, at work or waiting.
    """

    seconds: float = 0
    most: int = 2


@dataclass(frozen=True, kw_only=True)
class Order:
    """One attempt that is to have a driver.

    :param spec: what the driver is asked to do; it lies among the files already.
    :param settings: the operator's Spark arguments, parted by what may be seen of them.
    :param store: of all attempts' files.
    :param project: the folder that spark-submit runs in.
    :param listener: is told what the driver means for the task log.
    :param warmth: whether its driver may stay.
    :param lets_go: whether the task does not wait for the driver: whatever submits it ends as soon
        as the cluster has it.
    """

    spec: StageSpec
    settings: Settings
    store: Store
    project: Path
    listener: Listener
    warmth: Warmth = Warmth()
    lets_go: bool = False

    @property
    def files(self) -> AttemptFiles:
        """The attempt's files on this machine."""
        return AttemptFiles(self.spec.folder)

    @property
    def name(self) -> str:
        """The Spark application's name."""
        return f"{self.spec.attempt.dag_id}.{self.spec.attempt.task_id}"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """By what a driver on a cluster is known while no task waits for it.

    :param attempt: whose driver it is.
    :param manager: the kind of cluster.
    :param id: what the cluster calls it.
    :param reach: what else it takes to ask the cluster; nothing secret.
    """

    attempt: Attempt
    manager: str
    id: str
    reach: Mapping[str, str]

    def to_json(self) -> str:
        """Return the ticket as a JSON document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a ticket.

        :raises ValueError: if it is none.
        """
        found: Self = read_as(cls, json.loads(text), "ticket")
        return found


@dataclass(frozen=True)
class State:
    """How a driver on a cluster is, in the cluster's own word."""

    name: str
    is_over: bool


class Watch(Protocol):
    """Asks a cluster for a driver that no task waits for; every call may take seconds."""

    @property
    def seconds(self) -> float:
        """The least pause between two questions that the cluster and this machine can bear."""

    def state(self) -> State:
        """Return how the driver is.

        :raises ClusterUnavailable: if the cluster does not say.
        """

    def end(self) -> None:
        """End the driver, if it has not ended.

        :raises ClusterUnavailable: if the cluster does not answer.
        """


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


class Lasting(Submission, Protocol):
    """A driver that outlives its task."""

    def let_go(self) -> Ticket:
        """Have the cluster take the driver, instead of :meth:`follow`; return what it is known by.

        :raises TidegateError: if the cluster does not take it.
        """
