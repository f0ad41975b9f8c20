"""What a driver's pod is given: its labels, its conf, its secrets."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tidegate.contract import SECRETS, Attempt
from tidegate.errors import require
from tidegate.submit.cluster import Cluster
from tidegate.submit.elsewhere import digest_of
from tidegate.submit.kubernetes.client import LABEL
from tidegate.submit.protocol import Order
from tidegate.submit.secrets import JAVA

_WAIT = "spark.kubernetes.submission.waitAppCompletion"
_UPLOAD = "spark.kubernetes.file.upload.path"
_TOKEN = "spark.kubernetes.authenticate.submission.oauthToken"  # noqa: S105  # its name
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST = 63
"""Letters of a label's value."""


def namespace_of(order: Order, cluster: Cluster) -> str:
    """Return where the driver's pod is: the connection's namespace, else conf's, else Spark's."""
    said = _given(order).get("spark.kubernetes.namespace", "default")
    return cluster.namespace or str(said)


def secret_of(attempt: Attempt) -> str:
    """Return the name of the Secret that holds what an attempt's driver alone may know."""
    return f"tidegate-{digest_of(attempt)}"


def labels_of(attempt: Attempt) -> dict[str, str]:
    """Return the labels of an attempt's pods, by which people and a retry find them."""
    named = {
        "tidegate/dag": attempt.dag_id,
        "tidegate/task": attempt.task_id,
        "tidegate/run": attempt.run_id,
        "tidegate/try": attempt.try_number,
    }
    if attempt.map_index >= 0:  # -1: the task is not mapped
        named["tidegate/map"] = attempt.map_index
    labels = {key: _fit(str(value)) for key, value in named.items()}
    return {**labels, LABEL: digest_of(attempt)}


def _fit(text: str) -> str:
    """Return a text as a label may be; one that had to be changed stays told apart by a digest."""
    fit = _UNFIT.sub("_", text).strip("_.-")
    if fit == text and len(fit) <= _LONGEST:
        return fit
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{fit[: _LONGEST - 9]}-{digest}".lstrip("-")


def client_conf(order: Order, cluster: Cluster) -> dict[str, str]:
    """Return what executors of a driver beside its task need of conf."""
    conf = {}
    for key, value in labels_of(order.spec.attempt).items():
        conf[f"spark.kubernetes.executor.label.{key}"] = value
    if cluster.service_account:
        conf["spark.kubernetes.authenticate.serviceAccountName"] = cluster.service_account
    return conf


def conf_of(order: Order, cluster: Cluster, uploads: str, hidden: bool) -> dict[str, str]:
    """Return what a driver on Kubernetes needs of its conf.

    :param uploads: where spark-submit lays out what travels, if conf does not say.
    :param hidden: whether a Secret holds what it alone may know.
    :raises SpecError: if the operator's conf says otherwise.
    """
    attempt = order.spec.attempt
    said = str(_given(order).get(_WAIT, "false"))
    require(
        said.lower() == "false",
        f"conf {_WAIT}={said!r}: a stage needs 'false'; its task waits for the pod by itself",
    )
    require(
        _TOKEN not in order.spec.conf,
        f"conf {_TOKEN} is a secret, and would stand on a command line: give {_TOKEN}File, or a "
        "kubeconfig",
    )
    conf = {
        _WAIT: "false",
        _UPLOAD: str(_given(order).get(_UPLOAD, uploads)),
        "spark.kubernetes.namespace": namespace_of(order, cluster),
        "spark.kubernetes.driverEnv.GX_ANALYTICS_ENABLED": "false",
        # A label holds no colon; the run's own name is beside it.
        "spark.kubernetes.driver.annotation.tidegate/run": attempt.run_id,
    }
    for key, value in _shown(order).items():
        conf[f"spark.kubernetes.driverEnv.{key}"] = value
    for key, value in labels_of(attempt).items():
        conf[f"spark.kubernetes.driver.label.{key}"] = value
        conf[f"spark.kubernetes.executor.label.{key}"] = value
    if cluster.service_account:
        key = "spark.kubernetes.authenticate.driver.serviceAccountName"
        conf[key] = cluster.service_account
    if hidden:
        conf[f"spark.kubernetes.driver.secretKeyRef.{SECRETS}"] = f"{secret_of(attempt)}:conf"
    return conf


def _given(order: Order) -> Mapping[str, Any]:
    given: Mapping[str, Any] = order.settings.shown.get("conf", {})
    return given


def _shown(order: Order) -> dict[str, str]:
    """Return the author's variables that may be seen in a pod's description."""
    settings = order.settings
    shown = settings.variables.keys() - settings.secret_variables.keys() - {JAVA}
    return {key: settings.variables[key] for key in sorted(shown)}
