"""The ways to run a driver, and which one a connection asks for."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from tidegate.errors import SpecError
from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import Cluster, cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.kubernetes.submission import KubernetesSubmission
from tidegate.submit.kubernetes.watch import KubernetesWatch
from tidegate.submit.protocol import Lasting, Order, Submission, Ticket, Watch
from tidegate.submit.secrets import Settings
from tidegate.submit.warm.submission import WarmSubmission
from tidegate.submit.yarn.submission import YarnSubmission
from tidegate.submit.yarn.watch import YarnWatch

Way = TypeVar("Way")
_ANY = Cluster(conn_id="", master="yarn", manager="yarn", deploy_mode="cluster")
"""Where nothing is submitted."""
_LASTING: Mapping[str, Callable[[Order, Cluster, Ticket | None], Lasting]] = {
    "yarn": YarnSubmission,
    "kubernetes": KubernetesSubmission,
}
_WATCHES: Mapping[str, Callable[[Ticket], Watch]] = {
    "yarn": YarnWatch,
    "kubernetes": KubernetesWatch,
}
"""By the kind of cluster that a driver runs on."""


def submission(order: Order) -> Submission:
    """Return the way that the order's connection asks for.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    connection = look_up(order.settings.shown)
    cluster = cluster_of(connection, order.settings.shown)
    if cluster.is_remote:
        return _LASTING[cluster.manager](order, cluster, None)
    # Executors on Kubernetes bear the labels of the attempt that they were asked for by.
    if order.warmth.seconds and cluster.manager != "kubernetes":
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
    cluster = _cluster(order.settings)
    return _LASTING[cluster.manager](order, cluster, None)


def resumed(order: Order, ticket: Ticket) -> Submission:
    """Return a driver that was let go, to be followed; whatever the connection says by now.

    :raises SpecError: if this version knows no such cluster.
    """
    return _known(_LASTING, ticket)(order, _ANY, ticket)


def watch(ticket: Ticket) -> Watch:
    """Return what asks for a driver that was let go.

    :raises SpecError: if this version knows no such cluster.
    """
    return _known(_WATCHES, ticket)(ticket)


def _known(ways: Mapping[str, Way], ticket: Ticket) -> Way:
    try:
        return ways[ticket.manager]
    except KeyError as unknown:
        raise SpecError(
            f"a driver on {ticket.manager!r}, which this version of tidegate knows nothing of: run "
            "the same version on workers and triggerers"
        ) from unknown


def _cluster(settings: Settings) -> Cluster:
    return cluster_of(look_up(settings.shown), settings.shown)
