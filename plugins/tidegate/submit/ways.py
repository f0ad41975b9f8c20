"""The ways to run a driver, and which one a connection asks for."""

from tidegate.errors import require
from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import Cluster, cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.protocol import Lasting, Order, Submission, Ticket, Watch
from tidegate.submit.secrets import Settings
from tidegate.submit.warm.submission import WarmSubmission
from tidegate.submit.yarn.submission import YarnSubmission
from tidegate.submit.yarn.watch import YarnWatch

_ANY = Cluster(conn_id="", master="yarn", manager="yarn", deploy_mode="cluster")
"""Where nothing is submitted."""


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


def lasts(settings: Settings) -> bool:
    """Tell whether a driver goes on when its task does not wait for it.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    return _cluster(settings).is_remote


def lasting(order: Order) -> Lasting:
    """Return the way of an order whose driver :func:`lasts`.

    :raises SpecError: as :func:`submission` does.
    """
    return YarnSubmission(order, _cluster(order.settings))


def resumed(order: Order, ticket: Ticket) -> Submission:
    """Return a driver that was let go, to be followed; whatever the connection says by now.

    :raises SpecError: if this version knows no such cluster.
    """
    _check_manager(ticket)
    return YarnSubmission(order, _ANY, ticket)


def watch(ticket: Ticket) -> Watch:
    """Return what asks for a driver that was let go.

    :raises SpecError: if this version knows no such cluster.
    """
    _check_manager(ticket)
    return YarnWatch(ticket)


def _check_manager(ticket: Ticket) -> None:
    require(
        ticket.manager == "yarn",
        f"a driver on {ticket.manager!r}, which this version of tidegate knows nothing of: run the "
        "same version on workers and triggerers",
    )


def _cluster(settings: Settings) -> Cluster:
    return cluster_of(look_up(settings.shown), settings.shown)
