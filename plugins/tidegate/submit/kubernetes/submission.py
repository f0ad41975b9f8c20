"""One driver on Kubernetes: submitted, followed by its pod, ended."""

import json
from contextlib import suppress
from textwrap import shorten
from time import monotonic, sleep

from tidegate.contract import Attempt
from tidegate.errors import ClusterUnavailable, SpecError, TidegateError
from tidegate.store import DOCS, DRIVERS_SPEC, KEYTAB, REPORT, SPEC, TOLD, Files
from tidegate.submit.cluster import Cluster
from tidegate.submit.earlier import left_running
from tidegate.submit.elsewhere import arguments, digest_of, place_of, travelling, uploads_of
from tidegate.submit.kubernetes.client import Kubernetes, connect, reach_of
from tidegate.submit.kubernetes.log import PodLog
from tidegate.submit.kubernetes.order import (
    conf_of,
    labels_of,
    namespace_of,
    secret_of,
)
from tidegate.submit.kubernetes.reasons import hopeless, lost_on_kubernetes, pending_too_long
from tidegate.submit.kubernetes.status import Pod
from tidegate.submit.kubernetes.watch import PENDING
from tidegate.submit.process import SparkSubmit
from tidegate.submit.protocol import Order, Ticket
from tidegate.submit.shared import fetch, inherit, is_anothers, reached
from tidegate.submit.told import Told

_POLL_SECONDS = 2
_FETCH_SECONDS = 5
_AWAY_SECONDS = 600
"""How long the API may not answer before the attempt gives up on it."""
_ENDED = 1
"""What a driver that was ended from here counts as having ended with."""


class KubernetesSubmission:
    """One driver in cluster mode; a :class:`~tidegate.submit.protocol.Lasting`.

    spark-submit uploads what the driver needs, creates its pod and ends; no JVM waits beside the
    task. From then on Kubernetes' API is asked for the pod, which its label finds.

    :param ticket: of a driver that was let go, which is followed without a start.
    """

    def __init__(self, order: Order, cluster: Cluster, ticket: Ticket | None = None) -> None:
        self._order = order
        self._cluster = cluster
        self._attempt = order.spec.attempt
        self._process = SparkSubmit(order, cluster, {})
        self._told = Told(files=order.files, listener=order.listener)
        self._api: Kubernetes | None = None
        self._name: str | None = None
        self._last: Pod | None = None
        self._fetched = 0.0
        self._waits_for = ""
        # Of an earlier try nobody knows, so it is asked for.
        self._has_secret = True
        self._is_over = False
        self._pending_seconds = cluster.pending_seconds
        if ticket is not None:
            self._api = connect(ticket.reach)
            self._name = ticket.id
            self._attempt = ticket.attempt
            self._pending_seconds = int(ticket.reach[PENDING])

    @property
    def attempt(self) -> Attempt:
        """The order's, or the earlier try's whose pod is followed."""
        return self._attempt

    def start(self) -> None:
        """Check connection, machine and place of the reports; find what an earlier try left.

        :raises SpecError: if one of them lacks something.
        :raises ClusterUnavailable: if Kubernetes does not answer.
        """
        order = self._order
        spec = travelling(order, self._there)
        uploads = f"{uploads_of(order).uri}/{digest_of(self._attempt)}"
        conf = conf_of(order, self._cluster, uploads, bool(spec.conf))
        self._process.prepare(DRIVERS_SPEC, arguments(order), conf)
        api = self._api = connect(self._reach)
        asked = order.spec.without_secrets().to_json()
        order.files.write(SPEC, asked)  # here, nobody needs the secrets
        left = left_running(order, api)
        if left is not None:
            self._name, self._attempt = left
            order.files.remove(KEYTAB)  # nothing is submitted
            inherit(self._there, order.spec.attempt)
            return
        with reached(SPEC):
            self._there.write(SPEC, asked)  # a try after this one looks for what was asked
        order.files.write(DRIVERS_SPEC, spec.without_secrets().to_json())
        self._has_secret = bool(spec.conf)
        if spec.conf:
            hidden = {"conf": json.dumps(dict(spec.conf))}
            api.keep(secret_of(self._attempt), labels_of(self._attempt), hidden)

    def let_go(self) -> Ticket:
        """Have Kubernetes take the driver, unless an earlier try's still runs; return its pod.

        :raises TidegateError: if Kubernetes does not take it.
        """
        assert self._api is not None  # noqa: S101  # it has been started
        code = self._submitted(self._api)
        if self._name is None:
            self._is_over = True
            self._tidy(self._api)
            raise self.lost(code)
        self._order.files.remove(DRIVERS_SPEC)
        return Ticket(attempt=self._attempt, manager="kubernetes", id=self._name, reach=self._reach)

    @property
    def _there(self) -> Files:
        return place_of(self._order, self._attempt)

    @property
    def _reach(self) -> dict[str, str]:
        settings = self._order.settings
        variables = {**self._process.environment, **settings.variables}
        return {
            **reach_of(
                self._cluster.master,
                namespace_of(self._order, self._cluster),
                settings.shown.get("conf", {}),
                variables.get("KUBECONFIG", ""),
            ),
            PENDING: str(self._pending_seconds),
        }

    def follow(self) -> int:
        """Have the driver run to its end; return its exit code."""
        if self._api is None or self._is_over:  # ended before it began
            return _ENDED
        try:
            code = self._submitted(self._api)
            if self._name is not None and not self._is_over:
                code = self._wait(self._api, self._name)
            was_ended = self._is_over
            self._is_over = True
        finally:
            self.end()
            self._tidy(self._api)
        fetch(self._there, self._order.files, REPORT, DOCS, TOLD)
        self._told.look()
        return code if not was_ended else _ENDED

    def end(self) -> None:
        """Have the driver's pod and its executors deleted, and spark-submit ended."""
        if self._is_over:
            return
        self._is_over = True
        if self._api is None:
            return
        # What cannot be ended now, a retry finds by its label, and the fence keeps out.
        with suppress(ClusterUnavailable, SpecError):
            if not self._is_anothers:
                self._end_pods(self._api)
        self._process.end()

    @property
    def _is_anothers(self) -> bool:
        return is_anothers(self._there, self._order.spec.attempt)

    def _end_pods(self, api: Kubernetes) -> None:
        digest = digest_of(self._attempt)
        if self._name is None:
            self._process.end()  # before it is asked for: nothing is created afterwards
        found = self._name or api.find(digest)
        if found:
            api.kill(found)
        api.kill_executors(digest)

    def lost(self, exit_code: int) -> TidegateError:
        """Read the pod's status and the end of the logs for what it means."""
        return lost_on_kubernetes(self._last, exit_code, self._process.tail)

    def _submitted(self, api: Kubernetes) -> int:
        """Submit, unless a pod is there already; return what spark-submit ended with."""
        code = 0
        if self._name is None:
            code = self._process.run(self._told.look)
            # It may have created the pod before it failed.
            self._name = api.newest(digest_of(self._attempt))
        if self._name is not None:
            self._order.listener.say(f"pod {self._name} on Kubernetes")
        return code

    def _wait(self, api: Kubernetes, name: str) -> int:
        """Ask for the pod until it has ended; its log is followed meanwhile."""
        log = PodLog(lambda since: api.log(name, since), self._process.add_to_log)
        try:
            return self._until_ended(api, name, log)
        finally:
            log.close()

    def _until_ended(self, api: Kubernetes, name: str, log: PodLog) -> int:
        heard = monotonic()
        while not self._is_over:
            try:
                pod = api.pod(name)
                heard = monotonic()
            except ClusterUnavailable:
                if monotonic() - heard > _AWAY_SECONDS:
                    raise
                sleep(_POLL_SECONDS)
                continue
            if pod is None:
                return _ENDED  # somebody deleted it
            self._last = pod
            if pod.is_pending:
                self._check_pending(api, pod)
            else:
                self._forget_secret(api)
                log.look(has_ended=pod.has_ended)
            if pod.has_ended:
                return pod.exit_code
            self._look()
            sleep(_POLL_SECONDS)
        return _ENDED

    def _check_pending(self, api: Kubernetes, pod: Pod) -> None:
        """Say what the pod waits for, whenever that changes.

        :raises SpecError: if waiting does not help.
        :raises ClusterUnavailable: if it has waited for too long.
        """
        seconds = self._pending_seconds
        if pod.waits_for and pod.waits_for != self._waits_for:
            self._waits_for = pod.waits_for
            told = shorten(pod.waits_for, 200)
            self._order.listener.say(f"the pod waits, {seconds} s at most: {told}")
            error = hopeless(pod.waits_for, self._events(api, pod))
            if error is not None:
                raise error
        if pod.age > seconds:
            raise pending_too_long(pod.name, seconds, pod.waits_for)

    def _events(self, api: Kubernetes, pod: Pod) -> list[str]:
        with suppress(ClusterUnavailable, SpecError):  # not every user may read them
            return api.events(pod.name)
        return []

    def _look(self) -> None:
        """Hand on what the driver has told since."""
        if monotonic() - self._fetched > _FETCH_SECONDS:
            self._fetched = monotonic()
            with suppress(ClusterUnavailable):  # the next look tells it
                fetch(self._there, self._order.files, TOLD)
        self._told.look()

    def _forget_secret(self, api: Kubernetes) -> None:
        """Have the Secret deleted: a container has its variables from its beginning on."""
        if self._has_secret:
            # The end of the attempt tries again; who may not delete any has made none.
            with suppress(ClusterUnavailable, SpecError):
                api.forget(secret_of(self._attempt))
                self._has_secret = False

    def _tidy(self, api: Kubernetes) -> None:
        """Leave nothing of the attempt on the cluster but its driver's pod, as Spark does."""
        self._order.files.remove(DRIVERS_SPEC)
        if self._is_anothers:
            return
        # What cannot be reached now costs room, and no stage its outcome.
        with suppress(ClusterUnavailable, SpecError):
            api.kill_executors(digest_of(self._attempt))
        self._forget_secret(api)
        uploads_of(self._order).discard(digest_of(self._attempt))
