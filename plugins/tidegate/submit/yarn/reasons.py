"""What YARN says of a driver that died: its diagnostics, and exit codes of its own."""

import re
from collections.abc import Iterable
from textwrap import shorten

from tidegate.errors import (
    ClusterUnavailable,
    DriverLost,
    ResourceExhausted,
    SpecError,
    TidegateError,
)
from tidegate.rules import Rule
from tidegate.submit.lost import known, lost
from tidegate.submit.yarn.client import Application

_REASONS: tuple[Rule, ...] = (
    Rule(
        by=("tail",),
        pattern=r"beyond the '?(PHYSICAL|VIRTUAL)'? memory limit|exitCode: (137|-10[34])\b",
        error=ResourceExhausted,
        means="YARN or the kernel killed the driver for its memory; raise driver_memory, or "
        "spark.driver.memoryOverhead in conf",
    ),
    Rule(
        by=("tail",),
        pattern=r"(?i)\bpreempted\b|exitCode: -102\b",
        error=ClusterUnavailable,
        means="YARN took the driver's room for another queue",
    ),
    Rule(
        by=("tail",),
        pattern=r"(?i)released on a \*?lost\*? node|exitCode: -10[01]\b",
        error=ClusterUnavailable,
        means="the driver's node, or its disks, were lost",
    ),
    Rule(
        by=("tail",),
        pattern=r"to unknown queue|(does not have permission|cannot) submit application",
        error=SpecError,
        means="YARN has no such queue for this user",
    ),
    Rule(
        by=("tail",),
        pattern=r"Required (AM|executor) memory .* above the max threshold",
        error=SpecError,
        means="no node of the cluster has so much memory; lower driver_memory or executor_memory",
    ),
    Rule(
        by=("tail",),
        pattern=r"^Call From .* failed on connection exception|Connection refused.*8032",
        error=ClusterUnavailable,
        means="YARN or HDFS did not answer",
    ),
)
"""Below 0 are YARN's own exit codes of a container (``ContainerExitStatus``)."""
_EXIT = re.compile(r"exitCode: (-?\d+)")


def lost_on_yarn(
    application: Application | None, exit_code: int, tail: Iterable[str]
) -> TidegateError:
    """Say why a driver on YARN left no report, from YARN's words and the end of its logs.

    :param application: what YARN says of it, if it ever had it.
    :param exit_code: spark-submit's, where YARN says none.
    """
    diagnostics = ""
    if application is not None:
        diagnostics = application.diagnostics.strip()
    if error := known([*tail, *diagnostics.splitlines()], _REASONS):
        return error
    if code := _EXIT.search(diagnostics):
        return lost(int(code[1]), ())
    if application is None:
        return lost(exit_code, ())
    return DriverLost(
        f"the driver ended without a report, {application.final} by YARN; nothing was published by "
        "it, or the retry will find it",
        quote=shorten(diagnostics, 300),
    )
