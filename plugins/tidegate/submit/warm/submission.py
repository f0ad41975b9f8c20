"""The warm way: a driver that waits for attempts with an equal start, or a new one, which will."""

import os
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any

from tidegate.contract import StageSpec
from tidegate.contract.feeds import SECURED
from tidegate.store import LOG, SPEC
from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import Cluster
from tidegate.submit.protocol import Order
from tidegate.submit.warm.doors import Doors
from tidegate.submit.warm.start import Start
from tidegate.submit.warm.visit import Request, Visit, hire, knock

_PATIENCE_SECONDS = 15
"""As long as a start takes on a machine that has other things to do."""
_PAUSE_SECONDS = 0.2
_NAME = "tidegate"
"""The application's: it is no single stage's."""


class WarmSubmission(ClientSubmission):
    """One driver in client mode, which may be another attempt's before or after.

    A :class:`~tidegate.submit.protocol.Submission`. Where it is not certain that a waiting driver
    is what a new one would be, the attempt gets a driver of its own, as :class:`ClientSubmission`
    starts it.

    :param connection: Airflow's, that the order names.
    """

    def __init__(self, order: Order, cluster: Cluster, connection: Any) -> None:
        super().__init__(order, cluster)
        start = Start(
            cluster=cluster,
            connection=f"{cluster.conn_id} {connection.get_uri()}",
            spark=order.settings.shown,
            secrets=order.settings.conf,
            environment=self.process.environment,
            project=order.project,
        )
        spec = order.files.path(SPEC)
        self._request = Request(start=start, spec=spec, seconds=order.warmth.seconds)
        self._why_cold = ""
        self._visit: Visit | None = None

    def start(self) -> None:
        """Find a driver that waits; without one, check connection and machine.

        :raises SpecError: if one of them lacks something.
        """
        try:
            self._why_cold = own_driver(self._order.spec) or self._request.start.unclear()
            if not self._why_cold:
                self._knock()
        except OSError as failed:
            self._why_cold = f"none can be kept: {failed.strerror}"
        if self._visit is None:
            # Only now: the provider's import takes seconds, and what it would refuse, it has
            # refused when the driver was started that waits for an equal start.
            super().start()

    def follow(self) -> int:
        """Have a driver run the attempt, and wait; return its exit code."""
        try:
            if self._visit is None and not self._why_cold:
                self._hire()
            return self._attend()
        finally:
            self.end()

    def end(self) -> None:
        """End the driver, whoever keeps it, unless it has served the attempt to its end."""
        super().end()
        if self._visit is not None:
            self._visit.end()

    def _knock(self) -> None:
        """Find a driver that waits; wait for one, where another would slow those at work down."""
        cores = len(os.sched_getaffinity(0))
        until = monotonic() + _PATIENCE_SECONDS
        while 2 * self._knock_once() >= cores and monotonic() < until:
            sleep(_PAUSE_SECONDS)

    def _knock_once(self) -> int:
        """Find a driver that waits; without one, return how many would serve that are at work."""
        busy = 0
        for door in self._doors().all():
            found = knock(door, self._request)
            if isinstance(found, Visit):
                self._visit = found
                return 0
            busy += found.is_busy
        return busy

    def _hire(self) -> None:
        """Start a driver that will wait, if there is room for one more."""
        with self._doors().free() as found:
            if found is None:
                self._why_cold = f"{self._order.warmth.most} others are at work or waiting"
                return
            door, place = found
            command = self.process.command(_NAME)
            self._visit = hire(door, place, self._request, command)
        if self._visit is None:
            self._why_cold = "none could be kept"

    def _attend(self) -> int:
        visit = self._visit
        if visit is None:
            self._say(f"cold driver: {self._why_cold}")
            return super().follow()
        self._say(visit.driver)
        with open(self._order.files.open_new(LOG), "wb", buffering=0) as out:
            return visit.follow(self.process.output, out, self._told.look)

    def _doors(self) -> Doors:
        return Doors.of_this_user(self._order.warmth.most)

    def _say(self, text: str) -> None:
        self._order.listener.say(f"[run] {text}")


def own_driver(spec: StageSpec) -> str:
    """Return why a stage has a driver of its own in any case, or nothing."""
    if spec.kind == "stream":
        return "a stream has one of its own"
    if spec.engine == "graphframes":
        return "engine graphframes has one of its own"
    for name in _options(spec):
        if name.startswith("fs."):
            # Hadoop keeps a file system as it was first opened, for as long as the JVM lives.
            return f"a read has an option of its file system, {name}"
    return ""


def _options(spec: StageSpec) -> list[str]:
    names = [key.removeprefix(SECURED).partition(".")[2] for key in spec.conf]
    for read in spec.reads:
        options: Mapping[str, str] = getattr(read, "options", {})
        names.extend(options)
    return names
