"""The ways to run a driver, and which one a connection asks for."""

from tidegate.errors import SpecError
from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.protocol import Order, Submission, Ticket, Watch
from tidegate.submit.secrets import Settings
from tidegate.submit.warm.submission import WarmSubmission
from tidegate.submit.yarn.submission import YarnSubmission
from tidegate.submit.yarn.watch import YarnWatch


def submission(order: Order) -> Submission:
    """Return the way that the order's connection asks for.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    connection = look_up(order.settings.shown)
    cluster = cluster_of(connection, order.settings.shown)
    if cluster.is_remote:
        return YarnSubmission(order, cluster)
    if order.warmth.seconds:
        return WarmSubmission(order, cluster, connection)
    return ClientSubmission(order, cluster)


def outlives_its_task(settings: Settings) -> bool:
    """Tell whether a driver goes on when nobody waits for it.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    return cluster_of(look_up(settings.shown), settings.shown).is_remote


def watch(ticket: Ticket) -> Watch:
    """Return what asks for a driver that was let go.

    :raises SpecError: if this version knows no such cluster.
    """
    if ticket.manager != "yarn":
        raise SpecError(
            f"a driver on {ticket.manager!r}, which this version of tidegate knows nothing of: "
            "run the same version on workers and triggerers"
        )
    return YarnWatch(ticket)
