"""How a driver's pod is, as Kubernetes' API tells it; nothing is asked here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Told = Mapping[str, Any]
"""A piece of the API's JSON."""

_ENDED = ("Succeeded", "Failed")
_NO_REASON = ("", "ContainerCreating", "PodInitializing")
"""The way every pod begins."""
_TAKEN = ("DisruptionTarget", "True")
_UNMET = ("PodScheduled", "False")
_NO_CODE = 1
"""What a pod counts as having ended with whose container never did."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What is said of a pod.

    :param waits_for: why it does not run, as ``reason: message``; empty if it does, or nobody
        has said so yet.
    :param why: what ended it or its container, a line each; empty while it runs.
    :param code: the exit code of its first container that failed, if one did.
    """

    name: str
    phase: str
    created: datetime
    is_leaving: bool
    waits_for: str
    why: tuple[str, ...]
    code: int | None

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self.phase in _ENDED

    @property
    def is_pending(self) -> bool:
        """Whether none of its containers has begun to work."""
        return self.phase == "Pending"

    @property
    def age(self) -> float:
        """How many seconds ago it was created."""
        return (datetime.now(UTC) - self.created).total_seconds()

    @property
    def exit_code(self) -> int:
        """0 if and only if Kubernetes says that it went through."""
        if self.phase == "Succeeded":
            return 0
        return self.code or _NO_CODE


def pod_of(told: Told) -> Pod:
    """Return what the API's JSON says of a pod."""
    meta = told["metadata"]
    status = told.get("status", {})
    failed = [end for end in _said(status, "terminated") if end.get("exitCode")]
    # Why the pod as a whole ended, why it was taken away, why its container ended.
    whys = (status, *_conditions(status, _TAKEN), *failed)
    waits = (*_said(status, "waiting"), *_conditions(status, _UNMET))
    return Pod(
        name=meta["name"],
        phase=status.get("phase", "Pending"),
        created=datetime.fromisoformat(meta["creationTimestamp"]),
        is_leaving="deletionTimestamp" in meta,
        waits_for=(*_lines(waits), "")[0],
        why=tuple(_lines(whys)),
        code=min((end["exitCode"] for end in failed), default=None),
    )


def _said(status: Told, state: str) -> list[Told]:
    """Return what is said of the containers in this state."""
    containers = (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    )
    states = [each.get("state", {}) for each in containers]
    return [each[state] for each in states if state in each]


def _conditions(status: Told, kind: tuple[str, str]) -> list[Told]:
    found = status.get("conditions", ())
    return [each for each in found if (each.get("type"), each.get("status")) == kind]


def _lines(said: Iterable[Told]) -> Iterator[str]:
    for each in said:
        reason = each.get("reason", "")
        if reason in _NO_REASON:
            continue
        message = " ".join(each.get("message", "").split())
        yield f"{reason}: {message}".removesuffix(": ")
