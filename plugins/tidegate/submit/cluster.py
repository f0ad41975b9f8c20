"""Which cluster a connection names, and everything that its form offers: known, and no two at odds.

What the provider's hook does with a setting is its own matter. That a setting means nothing where
it stands, or says the opposite of another one, Spark tells late, by halves or never.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal
from urllib.parse import urlsplit

from tidegate.errors import SpecError, require

Manager = Literal["local", "standalone", "yarn", "kubernetes"]

_MANAGERS: dict[str, Manager] = {
    "local": "local",
    "spark://": "standalone",
    "yarn": "yarn",
    "k8s://": "kubernetes",
}
"""By how a master begins."""
_MEANS_ONLY: dict[str, Manager] = {
    "queue": "yarn",
    "yarn_resourcemanager_webapp_address": "yarn",
    "namespace": "kubernetes",
    "service-account": "kubernetes",
    "pending-timeout": "kubernetes",
    "rest-scheme": "standalone",
    "rest-port": "standalone",
}
"""What means something to one kind of cluster alone; two of Kubernetes are ours, not the form's."""
_KNOWN = frozenset({"deploy-mode", "spark-binary", "principal", "keytab", *_MEANS_ONLY})
_PROVIDERS = frozenset({"spark-home"})
"""Not of the form any more; the provider itself says what became of it."""
_SAME: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("master", ("spark.master",)),
    ("deploy-mode", ("spark.submit.deployMode",)),
    ("queue", ("spark.yarn.queue",)),
    ("namespace", ("spark.kubernetes.namespace",)),
    ("service-account", ("spark.kubernetes.authenticate.driver.serviceAccountName",)),
    ("principal", ("spark.kerberos.principal", "spark.yarn.principal")),
)
"""Which conf says the same as a setting of the form."""
_ARGUMENTS = {
    "queue": "yarn_queue",
    "deploy-mode": "deploy_mode",
    "spark-binary": "spark_binary",
    "principal": "principal",
    "keytab": "keytab",
}
"""Which argument of an operator takes the place of a setting of the form."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where drivers are submitted to.

    :param keytab: the content of the connection's keytab; empty without one.
    :param resource_manager: the address of YARN's REST API, if the connection has it.
    :param namespace: of Kubernetes; empty if it is to be what Spark takes.
    :param service_account: whom a driver on Kubernetes acts as; empty for what Spark takes.
    :param pending_seconds: how long a driver's pod may wait before it runs.
    :param binary: the program that submits.
    """

    conn_id: str
    master: str
    manager: Manager
    deploy_mode: str
    keytab: bytes = b""
    principal: str = ""
    resource_manager: str = ""
    namespace: str = ""
    service_account: str = ""
    pending_seconds: int = 600
    binary: str = "spark-submit"

    @property
    def is_remote(self) -> bool:
        """Whether drivers run on the cluster, not beside the task."""
        return self.deploy_mode == "cluster"


def cluster_of(connection: Any, spark: Mapping[str, Any]) -> Cluster:
    """Return the cluster that an Airflow connection and an operator's Spark arguments name.

    :param connection: Airflow's; its type, host, port and extra are looked at.
    :raises SpecError: if a setting is unknown, means nothing there, or contradicts another one.
    """
    conn_id = str(connection.conn_id)
    extra = _given(connection.extra_dejson)
    try:
        _check_names(extra)
        master = _master(connection)
        manager = _manager(master)
        _check_place(extra, manager, master)
        settings = {"master": master, **extra, **_arguments(spark)}
        settings.setdefault("deploy-mode", "client")
        _check_same(settings, _conf(spark))
        _check_mode(settings["deploy-mode"], manager)
        _check_identity(settings, spark)
        return Cluster(
            conn_id=conn_id,
            master=master,
            manager=manager,
            deploy_mode=settings["deploy-mode"],
            keytab=_keytab(extra, spark),
            principal=settings.get("principal", ""),
            resource_manager=_web_address(extra),
            namespace=settings.get("namespace", ""),
            service_account=settings.get("service-account", ""),
            pending_seconds=int(settings.get("pending-timeout", Cluster.pending_seconds)),
            binary=settings.get("spark-binary", "spark-submit"),
        )
    except SpecError as wrong:
        raise SpecError(f"connection {conn_id!r}: {wrong.text}") from wrong


def _given(extra: Mapping[str, Any]) -> dict[str, str]:
    """Return what is filled in: the form stores a field left empty as an empty text or null."""
    filled = {}
    for name, value in extra.items():
        if value not in (None, ""):
            filled[name] = str(value)
    return filled


def _arguments(spark: Mapping[str, Any]) -> dict[str, str]:
    taken = {}
    for name, argument in _ARGUMENTS.items():
        if spark.get(argument):
            taken[name] = str(spark[argument])
    return taken


def _conf(spark: Mapping[str, Any]) -> Mapping[str, Any]:
    conf: Mapping[str, Any] = spark.get("conf") or {}
    return conf


def _check_names(extra: Mapping[str, str]) -> None:
    for name in sorted(extra.keys() - _KNOWN - _PROVIDERS):
        close = get_close_matches(name, _KNOWN, n=1)
        hint = f"one of {sorted(_KNOWN)}"
        if close:
            hint = f"did you mean {close[0]!r}?"
        raise SpecError(
            f"its extra has {name!r}, which the form of a Spark connection does not know: {hint}; "
            "Spark's own settings belong into the operator's conf"
        )


def _master(connection: Any) -> str:
    """Return the master as the provider makes it of a connection of the form, or of a URI."""
    host = connection.host or ""
    master = f"{connection.conn_type}://{host}"
    if connection.conn_type == "spark" and host and ("://" in host or not connection.port):
        master = host
    if connection.port:
        master = f"{master}:{connection.port}"
    return master


def _manager(master: str) -> Manager:
    require(
        not master.startswith("mesos"),
        f"the master {master!r} is Mesos, which Spark had until 3.5 and removed in 4.0: use YARN "
        "('yarn'), Kubernetes ('k8s://https://…') or Standalone ('spark://host:7077')",
    )
    for begin, manager in _MANAGERS.items():
        if master.startswith(begin) and (manager != "yarn" or master == "yarn"):
            return manager
    raise SpecError(
        f"the master {master!r} is none that Spark knows: give 'local[*]', 'spark://host:7077', "
        "'yarn' or 'k8s://https://host:6443' as the connection's host"
    )


def _check_place(extra: Mapping[str, str], manager: Manager, master: str) -> None:
    for name, only in _MEANS_ONLY.items():
        require(
            name not in extra or manager == only,
            f"{name!r} means something on {only} alone, and the master is {master!r}: take it out",
        )
    require(
        extra.get("rest-scheme", "http") in ("http", "https"),
        f"'rest-scheme' is {extra.get('rest-scheme')!r}; give 'http' or 'https'",
    )
    for name in ("rest-port", "pending-timeout"):
        number = extra.get(name, "0")
        require(number.isdecimal(), f"{name!r} is {number!r}; give a number")


def _check_same(settings: Mapping[str, str], conf: Mapping[str, Any]) -> None:
    for name, keys in _SAME:
        for key in keys:
            said = conf.get(key)
            mine = settings.get(name, said)
            require(
                said is None or str(said) == mine,
                f"{name!r} is {mine!r}, and the operator's conf says {key}={said!r}: say it once",
            )


def _check_mode(mode: str, manager: Manager) -> None:
    require(
        mode in ("client", "cluster"),
        f"'deploy-mode' is {mode!r}; give 'client' (the driver beside the task) or 'cluster'",
    )
    if mode == "client":
        return
    require(
        manager != "standalone",
        "'deploy-mode' is 'cluster', which Spark refuses for Python on a Standalone cluster; use "
        "client: the executors run on the cluster all the same",
    )
    require(
        manager != "local",
        "'deploy-mode' is 'cluster', and a local master has no cluster: use client",
    )


def _check_identity(settings: Mapping[str, str], spark: Mapping[str, Any]) -> None:
    by_cache = bool(spark.get("use_krb5ccache"))
    require(
        "keytab" not in settings or "principal" in settings,
        "there is a 'keytab' without a 'principal': Spark takes both or none",
    )
    require(
        "principal" not in settings or "keytab" in settings or by_cache,
        "there is a 'principal' without a 'keytab': give both, or use_krb5ccache=True for a ticket",
    )
    require(
        "principal" not in settings or not spark.get("proxy_user"),
        "there are a 'principal' and a proxy_user: Spark takes one of them",
    )


def _keytab(extra: Mapping[str, str], spark: Mapping[str, Any]) -> bytes:
    if "keytab" not in extra or spark.get("keytab"):
        return b""  # none, or the operator names a file
    try:
        return base64.b64decode("".join(extra["keytab"].split()), validate=True)
    except (binascii.Error, ValueError):
        # Without `from`: the reason quotes nothing, but a chain could.
        raise SpecError(
            "its 'keytab' is not base64: store what `base64 -w0 <file>` prints"
        ) from None


def _web_address(extra: Mapping[str, str]) -> str:
    address = extra.get("yarn_resourcemanager_webapp_address", "")
    if not address:
        return ""
    parts = urlsplit(address)
    require(
        parts.scheme in ("http", "https") and parts.hostname and not parts.username,
        f"'yarn_resourcemanager_webapp_address' is {address!r}; give http://host:8088",
    )
    return address.rstrip("/")
