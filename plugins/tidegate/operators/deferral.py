"""A task that leaves its worker while its driver runs on a cluster."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from tidegate.contract import Attempt, StageSpec
from tidegate.errors import ClusterUnavailable
from tidegate.settings import reports_store
from tidegate.store import SPEC, TICKET
from tidegate.submit.protocol import Ticket
from tidegate.submit.shared import reached
from tidegate.submit.ways import watch

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


def wait_for(task: "BaseOperator", ticket: Ticket) -> NoReturn:
    """Leave the worker until the driver has ended; ``resume`` goes on then.

    ``execution_timeout`` counts anew: Airflow ends a task that waits too long by it.
    """
    from tidegate.triggers import DriverTrigger

    task.log.info("waiting for %s in the triggerer", ticket.id)
    task.defer(
        trigger=DriverTrigger(ticket=ticket.to_json()),
        method_name="resume",
        timeout=task.execution_timeout,
    )


def left(attempt: Attempt) -> tuple[Ticket, StageSpec]:
    """Return by what an attempt's driver is known, and what it was asked to do.

    Not what it would be asked now: the job may have changed since, and its driver does the old one.

    :raises ClusterUnavailable: if that cannot be read.
    """
    store = reports_store()
    there = store.common(attempt)
    with reached(TICKET):
        ticket = Ticket.from_json(there.read(TICKET))
    with reached(SPEC):
        asked = StageSpec.from_json(there.read(SPEC))
    # The folder of this worker, which may be another one than that which has submitted it.
    return ticket, replace(asked, folder=store.files(attempt).uri)


def end_driver(task: "BaseOperator", attempt: Attempt) -> None:
    """End the driver of an attempt that has waited for too long."""
    with suppress(ClusterUnavailable):  # a retry finds what cannot be ended now
        ticket, _ = left(attempt)
        watch(ticket).end()
        task.log.error("%s ended: longer than execution_timeout", ticket.id)
