"""An application on YARN that no task waits for, asked for from anywhere."""

from collections.abc import Mapping
from pathlib import Path

from tidegate.submit.machine import driver_environment, hadoop_folder
from tidegate.submit.protocol import State, Ticket
from tidegate.submit.yarn.client import Yarn

_SECONDS = 5.0
_SECONDS_A_JVM = 30.0
"""Without the REST API, each question costs the start of a JVM."""


def reach_of(binary: str, environment: Mapping[str, str], web: str) -> dict[str, str]:
    """Return what it takes to ask YARN again, from another process or machine."""
    return {"binary": binary, "hadoop": hadoop_folder(environment), "web": web}


def yarn_of(reach: Mapping[str, str]) -> Yarn:
    """Return whom to ask.

    :param reach: of :func:`reach_of`; a machine that keeps Hadoop's configuration elsewhere says so
        in its own environment.
    """
    environment = driver_environment()
    if Path(reach["hadoop"]).is_dir():
        environment["HADOOP_CONF_DIR"] = reach["hadoop"]
    return Yarn(reach["binary"], environment, reach["web"])


class YarnWatch:
    """Asks for one application; a :class:`~tidegate.submit.protocol.Watch`."""

    def __init__(self, ticket: Ticket) -> None:
        self._application = ticket.id
        self._yarn = yarn_of(ticket.reach)

    @property
    def seconds(self) -> float:
        """The least pause between two questions."""
        if self._yarn.web:
            return _SECONDS
        return _SECONDS_A_JVM

    def state(self) -> State:
        """Return how the application is.

        :raises ClusterUnavailable: if YARN does not say.
        """
        found = self._yarn.application(self._application)
        return State(found.state, not found.is_active)

    def end(self) -> None:
        """End the application, if it has not ended.

        :raises ClusterUnavailable: if YARN does not answer.
        """
        self._yarn.kill(self._application)
