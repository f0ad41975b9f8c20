"""An Airflow connection of type ``kafka``, in the words of Kafka's Java client.

Airflow's provider keeps librdkafka's settings in such a connection; Spark wants Java's. Each is
allowed by name: what a connection holds besides is not handed on.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate.contract import KafkaRead, is_secret
from tidegate.contract.feeds import SECURED
from tidegate.errors import require

_SAME = (
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.jaas.config",
    "sasl.kerberos.service.name",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
)
_RENAMED = {"sasl.mechanisms": "sasl.mechanism"}
_PLAIN_FIELDS = ("sasl.username", "sasl.password")
_PEM = {"ssl.ca.location": "ssl.truststore", "ssl.keystore.pem": "ssl.keystore"}
"""A file of PEM, and the store that Java's client takes it for."""
_LOGIN = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def served(read: KafkaRead, extra: Mapping[str, Any]) -> tuple[KafkaRead, dict[str, str]]:
    """Return a read with the servers of its connection, and what secures the way there.

    :param extra: the connection's.
    :return: the latter as conf that travels in the spec's file alone, see ``StageSpec.conf``.
    :raises SpecError: if the connection lacks what it needs.
    """
    conn_id = str(read.conn_id)
    settings = java_settings(conn_id, extra)
    servers = settings.pop("bootstrap.servers", "")
    require(servers, f"connection {conn_id!r}: its extra names no 'bootstrap.servers'")
    plain: dict[str, str] = {}
    secured: dict[str, str] = {}
    for key, value in settings.items():
        if is_secret(key, value):
            secured[f"{SECURED}{read.name}.kafka.{key}"] = value
        else:
            plain[f"kafka.{key}"] = value
    return replace(read, servers=servers, options={**plain, **read.options}), secured


def java_settings(conn_id: str, extra: Mapping[str, Any]) -> dict[str, str]:
    """Return a connection's settings as Kafka's Java client names them.

    :raises SpecError: if it names a user, but no mechanism that takes one.
    """
    settings = {key: str(extra[key]) for key in _SAME if key in extra}
    for theirs, ours in _RENAMED.items():
        if theirs in extra:
            settings.setdefault(ours, str(extra[theirs]))
    for theirs, store in _PEM.items():
        if theirs in extra:
            settings[f"{store}.location"] = str(extra[theirs])
            settings[f"{store}.type"] = "PEM"
    if "sasl.username" in extra:
        settings["sasl.jaas.config"] = _login(conn_id, settings, extra)
    return settings


def _login(conn_id: str, settings: Mapping[str, str], extra: Mapping[str, Any]) -> str:
    mechanism = settings.get("sasl.mechanism", "")
    require(
        mechanism in _LOGIN,
        f"connection {conn_id!r}: sasl.mechanism={mechanism!r} takes no user; use one of "
        f"{sorted(_LOGIN)}, or give sasl.jaas.config",
    )
    user, word = (_quoted(str(extra.get(name, ""))) for name in _PLAIN_FIELDS)
    return f"{_LOGIN[mechanism]} required username={user} password={word};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
