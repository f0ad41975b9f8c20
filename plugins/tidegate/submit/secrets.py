"""Conf that must not stand on a command line."""

import re
from collections.abc import Mapping
from typing import Any

_SECRET = re.compile(
    r"secret|password|passwd|token|access\.?key|account\.key|credential|sas\b", re.I
)


def split_secrets(spark: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the Spark arguments for the command line, and the conf that must not stand on one.

    A process list shows every command line to everybody on the machine; secret conf travels in the
    spec file instead. The caller masks its values in the log.
    """
    conf = {key: str(value) for key, value in (spark.get("conf") or {}).items()}
    names = [key for key in conf if _SECRET.search(key)]
    secret = {key: conf.pop(key) for key in names}
    return {**spark, "conf": conf}, secret
