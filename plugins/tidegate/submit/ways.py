"""The ways to run a driver, and which one a connection asks for."""

from tidegate.submit.client import ClientSubmission
from tidegate.submit.cluster import cluster_of
from tidegate.submit.hook import look_up
from tidegate.submit.protocol import Order, Submission
from tidegate.submit.yarn.submission import YarnSubmission


def submission(order: Order) -> Submission:
    """Return the way that the order's connection asks for.

    :raises SpecError: if there is no such connection, or it cannot be what it says.
    """
    spark = order.settings.shown
    cluster = cluster_of(look_up(spark), spark)
    if cluster.is_remote:
        return YarnSubmission(order, cluster)
    return ClientSubmission(order, cluster)
