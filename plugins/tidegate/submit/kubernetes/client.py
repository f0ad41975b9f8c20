"""Kubernetes' own API, by its own Python client: the extra ``tidegate[kubernetes]``.

The client is imported when it is first asked: it takes a second and a half, which no stage on
another cluster is to pay.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.errors import ClusterUnavailable, SpecError
from tidegate.submit.kubernetes.status import Pod, pod_of

LABEL = "tidegate/attempt"
"""The label that driver and executors of an attempt bear, with its digest."""
_DRIVER = "spark-kubernetes-driver"
"""What Spark calls a driver's container, unless a pod template does."""
_SECONDS = 30
"""How long a call may take before the API counts as out of reach."""
_CONTEXT = "spark.kubernetes.context"
_TRUST = "spark.kubernetes.trust.certificates"
_AUTHENTICATE = "spark.kubernetes.authenticate.submission"
_TOKEN_FILE = f"{_AUTHENTICATE}.oauthTokenFile"
_FILES = {
    f"{_AUTHENTICATE}.caCertFile": "ssl_ca_cert",
    f"{_AUTHENTICATE}.clientKeyFile": "key_file",
    f"{_AUTHENTICATE}.clientCertFile": "cert_file",
}
_FORBIDDEN = (401, 403)
_GONE = 404
_PIECE = 64 * 1024


class Kubernetes:
    """Asks the API of one namespace."""

    def __init__(self, core: Any, namespace: str) -> None:
        self._core = core
        self._namespace = namespace

    def find(self, digest: str) -> str | None:
        """Return the name of the newest driver pod with this digest that has not ended.

        :raises ClusterUnavailable: if the API does not answer.
        """
        alive = [pod.name for pod in self._pods(digest, "driver") if not pod.has_ended]
        return max(alive, default=None)

    def newest(self, digest: str) -> str | None:
        """Return the name of the newest driver pod with this digest, whether or not it has ended.

        :raises ClusterUnavailable: if the API does not answer.
        """
        return max((pod.name for pod in self._pods(digest, "driver")), default=None)

    def pod(self, name: str) -> Pod | None:
        """Return how a pod is; None if there is none.

        :raises ClusterUnavailable: if the API does not answer.
        """
        with _asked(f"pod {name}"), _unless_gone():
            return pod_of(_json(self._core.read_namespaced_pod, name, self._namespace))
        return None

    def events(self, name: str) -> list[str]:
        """Return what is said of a pod beside its status, oldest first.

        :raises ClusterUnavailable: if the API does not answer.
        """
        asked = {"field_selector": f"involvedObject.name={name}"}
        with _asked(f"events of {name}"):
            found = _json(self._core.list_namespaced_event, self._namespace, **asked)
        return [f"{each.get('reason')}: {each.get('message')}" for each in found["items"]]

    def log(self, name: str, since: int | None) -> Iterator[bytes]:
        """Yield a driver's log, piece by piece, until its container has ended.

        :param since: only of so many last seconds; None for all of it.
        :raises ClusterUnavailable: if the API does not answer, or ends the connection.
        """
        with _asked(f"log of {name}"):
            answer = self._core.read_namespaced_pod_log(
                name,
                self._namespace,
                container=self._container(name),
                follow=True,
                since_seconds=since,
                _preload_content=False,
                # A driver may be silent for long; a lost connection is found by the pod's state.
                _request_timeout=(_SECONDS, None),
            )
            try:
                yield from answer.stream(_PIECE)
            finally:
                answer.release_conn()

    def _container(self, name: str) -> str | None:
        """Return the driver's container of a pod that may have others beside it."""
        spec = _json(self._core.read_namespaced_pod, name, self._namespace).get("spec", {})
        names = [each["name"] for each in spec.get("containers", ())]
        if _DRIVER in names:
            return _DRIVER
        return None  # a template names it, and it is the only one

    def kill(self, name: str) -> None:
        """Have a pod deleted, if it is there.

        :raises ClusterUnavailable: if the API does not answer.
        """
        with _asked(f"delete pod {name}"), _unless_gone():
            _json(self._core.delete_namespaced_pod, name, self._namespace)

    def kill_executors(self, digest: str) -> None:
        """Have the executors of a driver deleted: nobody else does while its pod is there.

        :raises ClusterUnavailable: if the API does not answer.
        """
        for pod in self._pods(digest, "executor"):
            self.kill(pod.name)

    def keep(self, name: str, labels: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Have a Secret hold what a driver needs to know and nobody else may see.

        :raises ClusterUnavailable: if the API does not answer.
        """
        self.forget(name)
        body = {
            "metadata": {"name": name, "labels": dict(labels)},
            "stringData": dict(secrets),
        }
        with _asked(f"create secret {name}"):
            _json(self._core.create_namespaced_secret, self._namespace, body=body)

    def forget(self, name: str) -> None:
        """Have a Secret deleted, if it is there.

        :raises ClusterUnavailable: if the API does not answer.
        """
        with _asked(f"delete secret {name}"), _unless_gone():
            _json(self._core.delete_namespaced_secret, name, self._namespace)

    def _pods(self, digest: str, role: str) -> list[Pod]:
        asked = {"label_selector": f"{LABEL}={digest},spark-role={role}"}
        with _asked(f"pods of {self._namespace}"):
            found = _json(self._core.list_namespaced_pod, self._namespace, **asked)
        pods = [pod_of(each) for each in found["items"]]
        return [pod for pod in pods if not pod.is_leaving]


def reach_of(master: str, namespace: str, conf: Mapping[str, Any], config: str) -> dict[str, str]:
    """Return what it takes to ask Kubernetes, from this or another process or machine.

    :param conf: Spark's; whatever spark-submit is told by it of the API.
    :param config: the path of a kubeconfig; empty if the machine knows.
    """
    reach = {"master": master, "namespace": namespace, "kubeconfig": config}
    for key in (_CONTEXT, _TRUST, _TOKEN_FILE, *_FILES):
        reach[key] = str(conf.get(key, ""))
    return reach


def connect(reach: Mapping[str, str]) -> Kubernetes:
    """Return a way to the API that spark-submit speaks to, with the same credentials.

    Those of ``spark.kubernetes.authenticate.submission.*`` go before those of a kubeconfig, which
    go before those that a pod has.

    :param reach: of :func:`reach_of`.
    :raises SpecError: if the client is not installed, or there is no such context or file.
    """
    try:
        from kubernetes.client import ApiClient, Configuration, CoreV1Api
    except ImportError as missing:
        raise SpecError(
            "deploy-mode 'cluster' on Kubernetes asks its API, and this worker lacks the client: "
            "pip install 'tidegate[kubernetes]'"
        ) from missing
    configuration = Configuration()
    _by_config(configuration, reach["kubeconfig"], reach[_CONTEXT])
    configuration.host = _address(reach["master"])
    _by_conf(configuration, reach)
    # Its own retries would hold the task for minutes; whoever asks here asks again.
    configuration.retries = False
    return Kubernetes(CoreV1Api(ApiClient(configuration)), reach["namespace"])


def _address(master: str) -> str:
    address = master.removeprefix("k8s://")
    if "://" not in address:
        return f"https://{address}"
    return address


def _by_config(configuration: Any, named: str, context: str) -> None:
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    home = Path.home() / ".kube" / "config"
    try:
        if named or home.is_file():
            load_kube_config(named or str(home), context or None, configuration)
        elif "KUBERNETES_SERVICE_HOST" in os.environ:
            load_incluster_config(client_configuration=configuration)
    except ConfigException as wrong:
        raise SpecError(f"KUBECONFIG {named or home}: {wrong}") from wrong


def _by_conf(configuration: Any, reach: Mapping[str, str]) -> None:
    """Take the credentials that spark-submit is given as files, and whom it trusts."""
    configuration.verify_ssl = reach[_TRUST] != "true"
    for key, attribute in _FILES.items():
        if path := reach[key]:
            setattr(configuration, attribute, path)
    if token := reach[_TOKEN_FILE]:
        try:
            told = Path(token).read_text(encoding="utf-8").strip()
        except OSError as failed:
            raise SpecError(f"{_TOKEN_FILE}: {failed.strerror} at {token}") from failed
        configuration.api_key["authorization"] = f"Bearer {told}"


def _error() -> Any:
    from kubernetes.client import ApiException

    return ApiException


def _json(call: Callable[..., Any], *words: str, **asked: Any) -> dict[str, Any]:
    # The client's own classes are left alone: they refuse whatever a newer API says besides.
    answer = call(*words, _preload_content=False, _request_timeout=_SECONDS, **asked)
    found: dict[str, Any] = json.loads(answer.data)
    return found


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Pass over that what was asked for is not there."""
    try:
        yield
    except _error() as refused:
        if refused.status != _GONE:
            raise


@contextmanager
def _asked(what: str) -> Iterator[None]:
    """Have whatever the client raises say what was asked, and whether to ask again."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except _error() as refused:
        told = f"Kubernetes says {refused.status} {refused.reason} ({what})"
        quote = _message(refused.body)
        if refused.status in _FORBIDDEN and "exceeded quota" not in quote:
            raise SpecError(f"{told}: this worker's user may not do that", quote=quote) from refused
        raise ClusterUnavailable(told, quote=quote) from refused
    except (HTTPError, OSError, ValueError) as silent:
        raise ClusterUnavailable(
            f"Kubernetes' API does not answer ({what})", quote=type(silent).__name__
        ) from silent


def _message(body: Any) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return ""  # a proxy's page, or nothing
