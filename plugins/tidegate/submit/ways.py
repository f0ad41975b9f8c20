"""The ways to run a driver, and which one a connection asks for."""

from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.kubernetes.submission import KubernetesSubmission
from tidegate.submit.protocol import Order, Submission
from tidegate.submit.yarn.submission import YarnSubmission


def submission(order: Order) -> Submission:
    """Return the way that the order's connection asks for.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    spark = order.settings.shown
    cluster = cluster_of(look_up(spark), spark)
    if not cluster.is_remote:
        return ClientSubmission(order, cluster)
    if cluster.manager == "kubernetes":
        return KubernetesSubmission(order, cluster)
    return YarnSubmission(order, cluster)
