"""A pod that no task waits for, asked for from anywhere."""

from contextlib import suppress

from tidegate.errors import ClusterUnavailable, SpecError
from tidegate.submit.elsewhere import digest_of
from tidegate.submit.kubernetes.client import connect
from tidegate.submit.kubernetes.order import secret_of
from tidegate.submit.kubernetes.reasons import hopeless
from tidegate.submit.protocol import State, Ticket

PENDING = "pending-seconds"
"""How long the pod may wait, among what it takes to ask for it."""


class KubernetesWatch:
    """Asks for one pod; a :class:`~tidegate.submit.protocol.Watch`."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._api = connect(ticket.reach)
        self._has_secret = True

    @property
    def seconds(self) -> float:
        """The least pause between two questions."""
        return 5.0

    def state(self) -> State:
        """Return how the pod is; over, too, if its task is to say why it will not run.

        :raises ClusterUnavailable: if Kubernetes does not say.
        """
        pod = self._api.pod(self._ticket.id)
        if pod is None:
            return State("gone", is_over=True)
        if not pod.is_pending:
            self._forget_secret()
            return State(pod.phase, pod.has_ended)
        waits_too_long = pod.age > float(self._ticket.reach[PENDING])
        is_stuck = waits_too_long or hopeless(pod.waits_for, ()) is not None
        return State(f"Pending: {pod.waits_for}".removesuffix(": "), is_stuck)

    def end(self) -> None:
        """End the driver and its executors, if they have not ended.

        :raises ClusterUnavailable: if Kubernetes does not answer.
        """
        self._api.kill(self._ticket.id)
        self._api.kill_executors(digest_of(self._ticket.attempt))
        self._forget_secret()

    def _forget_secret(self) -> None:
        """Have the Secret deleted: a container has its variables from its beginning on."""
        if self._has_secret:
            # The end of the attempt tries again; who may not delete any has made none.
            with suppress(ClusterUnavailable, SpecError):
                self._api.forget(secret_of(self._ticket.attempt))
                self._has_secret = False
