"""Drivers on a cluster that outlived the task of an earlier try."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from tidegate.contract import Attempt, StageSpec
from tidegate.errors import SpecError
from tidegate.store import SPEC
from tidegate.submit.elsewhere import digest_of, place_of
from tidegate.submit.protocol import Order

_TRIES = 10
"""How many tries before this one may have left a driver."""


class Manager(Protocol):
    """Who is asked for drivers: a cluster's own API."""

    def find(self, digest: str) -> str | None:
        """Return the name of the driver that bears this digest and has not ended.

        :raises ClusterUnavailable: if the cluster does not say.
        """

    def kill(self, name: str) -> None:
        """End a driver, if it has not ended.

        :raises ClusterUnavailable: if the cluster does not answer.
        """


def left_running(order: Order, manager: Manager) -> tuple[str, Attempt] | None:
    """Return the driver of an earlier try that still does this very work, and whose it is.

    What does other work is ended: the job has changed since, or the task was cleared, which means
    that its work is to be done anew.

    :raises ClusterUnavailable: if the cluster does not answer.
    """
    for asked in _asked_earlier(order):
        found = manager.find(digest_of(asked.attempt))
        if found is None:
            continue
        if _is_this(asked, order.spec):
            number = asked.attempt.try_number
            order.listener.say(f"{found} of try {number} still runs: waiting for it")
            return found, asked.attempt
        order.listener.say(f"{found} does what is no longer asked: ended")
        manager.kill(found)
    return None


def _asked_earlier(order: Order) -> Iterator[StageSpec]:
    """Yield what earlier tries were asked, newest first."""
    mine = order.spec.attempt
    for number in range(mine.try_number - 1, max(0, mine.try_number - 1 - _TRIES), -1):
        there = place_of(order, replace(mine, try_number=number))
        with suppress(OSError, ValueError, KeyError, TypeError, SpecError):
            # None there, or none of this version: nothing of it can be waited for.
            yield StageSpec.from_json(there.read(SPEC))


def _is_this(asked: StageSpec, mine: StageSpec) -> bool:
    is_cleared = asked.attempt.generation != mine.attempt.generation
    return not is_cleared and _work(asked) == _work(mine)


def _work(spec: StageSpec) -> dict[str, Any]:
    """Return what is asked, whichever try asks it."""
    told: dict[str, Any] = json.loads(spec.without_secrets().to_json())
    del told["attempt"], told["folder"]
    return told
