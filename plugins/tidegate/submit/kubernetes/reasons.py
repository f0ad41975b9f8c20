"""What Kubernetes says of a driver's pod that does not run, or died."""

import re
from collections.abc import Iterable

from tidegate.errors import (
    ClusterUnavailable,
    DriverLost,
    ResourceExhausted,
    SpecError,
    TidegateError,
)
from tidegate.rules import Rule
from tidegate.submit.kubernetes.status import Pod
from tidegate.submit.lost import known, lost

_REASONS: tuple[Rule, ...] = (
    Rule(
        by=("tail",),
        pattern=r"^OOMKilled\b",
        error=ResourceExhausted,
        means="the kernel killed the driver's container for its memory; raise driver_memory, or "
        "spark.driver.memoryOverhead in conf",
    ),
    Rule(
        by=("tail",),
        pattern=r"^Evicted: .*(low on resource|exceeds the limit|exceeded its local ephemeral)",
        error=ResourceExhausted,
        means="Kubernetes evicted the driver's pod, as its node ran low on memory or disk",
    ),
    Rule(
        by=("tail",),
        pattern=r"^(Evicted|Preempt\w*|PreemptionByScheduler|EvictionByEvictionAPI"
        r"|DeletionByTaintManager|DeletionByPodGC|TerminationByKubelet)\b",
        error=ClusterUnavailable,
        means="Kubernetes took the driver's room away",
    ),
    Rule(
        by=("tail",),
        pattern=r"^(NodeLost|NodeShutdown|NodeAffinity|Terminated|Shutdown|Unknown"
        r"|ContainerStatusUnknown)\b",
        error=ClusterUnavailable,
        means="the driver's node was lost or shut down",
    ),
    Rule(
        by=("tail",),
        pattern=r"^(UnexpectedAdmissionError|OutOf(cpu|memory|pods|ephemeral-storage))\b",
        error=ClusterUnavailable,
        means="the node had no room for the driver's pod after all",
    ),
    Rule(
        by=("tail",),
        pattern=r"^DeadlineExceeded\b",
        error=ClusterUnavailable,
        means="the driver's pod was given a deadline (activeDeadlineSeconds) and met it",
    ),
    Rule(
        by=("tail",),
        pattern=r"^(StartError|ContainerCannotRun)\b",
        error=SpecError,
        means="the image has no such program; it must start as Spark's own does",
    ),
    Rule(
        by=("tail",),
        pattern=r"exceeded quota",
        error=ClusterUnavailable,
        means="the namespace's quota leaves no room for the driver's pod",
    ),
    Rule(
        by=("tail",),
        pattern=r"is forbidden: |Forbidden!|Unauthorized|namespaces \"[^\"]*\" not found",
        error=SpecError,
        means="this user, or the driver's service account, may not do that in this namespace",
    ),
    Rule(
        by=("tail",),
        pattern=r"Must specify the driver container image",
        error=SpecError,
        means="no image: set spark.kubernetes.container.image in conf or spark-defaults.conf",
    ),
    Rule(
        by=("tail",),
        pattern=r"KubernetesClientException: (An error has occurred|Operation: )",
        error=ClusterUnavailable,
        means="Kubernetes' API did not answer",
    ),
)
_NEVER = re.compile(r"^(InvalidImageName|ErrImageNeverPull|CreateContainerConfigError)\b")
"""Waiting does not help: somebody has to change something."""
_BACKS_OFF = re.compile(r"^(ImagePullBackOff|ErrImagePull)\b")
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|does not exist|denied|unauthorized|no such", re.I
)
"""What a registry says that has no such image, or not for this cluster."""


def hopeless(waits_for: str, events: Iterable[str]) -> SpecError | None:
    """Return the error of a pod that will not run however long it is waited for, if it is one.

    :param events: what is said of the pod besides.
    """
    if _NEVER.search(waits_for):
        return SpecError("the driver's pod cannot start", quote=waits_for)
    if not _BACKS_OFF.search(waits_for):
        return None
    said = [waits_for, *(event for event in events if event.startswith("Failed: "))]
    told = [line for line in said if _NO_IMAGE.search(line)]
    if not told:
        return None  # its registry may be away for a while
    return SpecError(
        "the driver's image cannot be pulled: correct spark.kubernetes.container.image, or give "
        "spark.kubernetes.container.image.pullSecrets",
        quote=told[-1],
    )


def pending_too_long(name: str, seconds: int, waits_for: str) -> ClusterUnavailable:
    """Return the error of a pod that did not begin in time."""
    return ClusterUnavailable(
        f"the driver's pod {name} did not run within {seconds} s, and was deleted (the "
        "connection's 'pending-timeout' says how long it may wait)",
        quote=waits_for or "Kubernetes does not say why",
    )


def lost_on_kubernetes(pod: Pod | None, exit_code: int, tail: Iterable[str]) -> TidegateError:
    """Say why a driver on Kubernetes left no report, from its pod and the end of the logs.

    :param pod: as it was last seen; None if it never was, or is gone.
    :param exit_code: of the driver; of spark-submit, if there was no pod.
    """
    why: tuple[str, ...] = ()
    if pod is not None:
        why = pod.why
    # The pod's own reason first: a log ends with whatever was going on just then.
    if error := known(why, _REASONS) or known(tail, _REASONS):
        return error
    if pod is not None and not pod.has_ended:
        return DriverLost(
            f"the driver's pod {pod.name} is gone: somebody deleted it, or its node; nothing was "
            "published by it, or the retry will find it"
        )
    return lost(exit_code, ())
