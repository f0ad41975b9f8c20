"""Client mode: the driver runs in a spark-submit beside the task, and ends with it."""

from tidegate.contract import Attempt
from tidegate.errors import TidegateError
from tidegate.store import SPEC
from tidegate.submit.cluster import Cluster
from tidegate.submit.kubernetes.order import client_conf
from tidegate.submit.lost import lost
from tidegate.submit.process import SparkSubmit
from tidegate.submit.protocol import Order
from tidegate.submit.secrets import shown_variables
from tidegate.submit.told import Told


class ClientSubmission:
    """One driver in client mode; a :class:`~tidegate.submit.protocol.Submission`."""

    def __init__(self, order: Order, cluster: Cluster) -> None:
        self._order = order
        self._cluster = cluster
        self.process = SparkSubmit(order, cluster, dict(order.settings.variables))
        self._told = Told(files=order.files, listener=order.listener)

    @property
    def attempt(self) -> Attempt:
        """The order's: a driver beside a task ends with it."""
        return self._order.spec.attempt

    def start(self) -> None:
        """Check connection and machine.

        :raises SpecError: if one of them lacks something.
        """
        conf = shown_variables(self._order.settings, self._cluster.master)
        if self._cluster.manager == "kubernetes":
            conf = client_conf(self._order, self._cluster)
        self.process.prepare(str(self._order.files.path(SPEC)), self._order.settings.shown, conf)

    def follow(self) -> int:
        """Submit the driver and wait; return spark-submit's exit code."""
        return self.process.run(self._told.look)

    def end(self) -> None:
        """End spark-submit, and the driver with it."""
        self.process.end()

    def lost(self, exit_code: int) -> TidegateError:
        """Read the end of the output for what it means."""
        return lost(exit_code, self.process.tail)
