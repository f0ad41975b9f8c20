"""Waits, in Airflow's triggerer, for a driver on a cluster that no task waits for."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from random import uniform
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tidegate.errors import ClusterUnavailable
from tidegate.submit.protocol import State, Ticket, Watch
from tidegate.submit.ways import watch

_MOST_SECONDS = 60.0
_SHARE = 0.1
"""The longer a driver has worked, the later its end may be noticed: by this share of its time."""
_SILENT_SECONDS = 600.0
"""How long a cluster may not answer before the task looks for itself, from its worker."""
_ASKING = ThreadPoolExecutor(4, "tidegate")
"""However many tasks wait: this many questions at a time, some of which cost a JVM."""


class DriverTrigger(BaseTrigger):
    """Fires when a driver has ended, or when nobody can tell.

    It keeps nothing but the ticket: a triggerer that takes it over goes on with it.

    :param ticket: of :class:`~tidegate.submit.protocol.Ticket`, as JSON.
    """

    def __init__(self, ticket: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self._ticket = Ticket.from_json(ticket)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again, in any triggerer."""
        return "tidegate.triggers.DriverTrigger", {"ticket": self._ticket.to_json()}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until the driver has ended."""
        watching = await asyncio.to_thread(watch, self._ticket)
        is_over = await self._is_over(watching)
        yield TriggerEvent({"over": is_over})  # type: ignore[no-untyped-call]  # Airflow's

    async def on_kill(self) -> None:
        """End the driver: somebody has marked or cleared the task."""
        watching = await asyncio.to_thread(watch, self._ticket)
        await asyncio.to_thread(watching.end)  # never behind the questions of others
        self.log.info("%s ended with its task", self._ticket.id)

    async def _is_over(self, watching: Watch) -> bool:
        """Return whether the driver has ended; False if nobody can tell."""
        began = heard = monotonic()
        last = State("", is_over=False)
        while not last.is_over and monotonic() - heard < _SILENT_SECONDS:
            # Whoever does not answer is asked less and less often.
            silence = monotonic() - heard
            await asyncio.sleep(_pause(watching.seconds + silence, heard - began))
            found = await self._state(watching)
            if found is not None:
                heard = monotonic()
                if found != last:
                    self.log.info("%s is %s", self._ticket.id, found.name)
                last = found
        return last.is_over

    async def _state(self, watching: Watch) -> State | None:
        """Return how the driver is; None if the cluster does not say."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(_ASKING, watching.state)
        except ClusterUnavailable as silent:
            self.log.warning("%s: %s", self._ticket.id, silent)
            return None


def _pause(least: float, since: float) -> float:
    """Return how long to wait, never as long as the others that wait.

    :param since: how long the driver has been seen at work, in seconds.
    """
    pause = max(least, _SHARE * since)
    return min(pause, _MOST_SECONDS) * uniform(0.8, 1.2)  # noqa: S311
