"""The ways to run a driver, and which one a connection asks for."""

from tidegate.errors import SpecError
from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import Cluster, cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.kubernetes.submission import KubernetesSubmission
from tidegate.submit.kubernetes.watch import KubernetesWatch
from tidegate.submit.protocol import Order, Submission, Ticket, Watch
from tidegate.submit.secrets import Settings
from tidegate.submit.yarn.submission import YarnSubmission
from tidegate.submit.yarn.watch import YarnWatch


def submission(order: Order) -> Submission:
    """Return the way that the order's connection asks for.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    cluster = _cluster(order.settings)
    if not cluster.is_remote:
        return ClientSubmission(order, cluster)
    if cluster.manager == "kubernetes":
        return KubernetesSubmission(order, cluster)
    return YarnSubmission(order, cluster)


def outlives_its_task(settings: Settings) -> bool:
    """Tell whether a driver goes on when nobody waits for it.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    return _cluster(settings).is_remote


def watch(ticket: Ticket) -> Watch:
    """Return what asks for a driver that was let go.

    :raises SpecError: if this version knows no such cluster.
    """
    if ticket.manager == "kubernetes":
        return KubernetesWatch(ticket)
    if ticket.manager == "yarn":
        return YarnWatch(ticket)
    raise SpecError(
        f"a driver on {ticket.manager!r}, which this version of tidegate knows nothing of: "
        "run the same version on workers and triggerers"
    )


def _cluster(settings: Settings) -> Cluster:
    return cluster_of(look_up(settings.shown), settings.shown)
