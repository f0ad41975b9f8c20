"""What a table's metadata says of the attempts on it: their pairs of refs, and their snapshots."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.contract import Attempt, digest
from tidegate.driver.targets.provenance import FINGERPRINT

MAIN = "main"
_PREFIX = "stage_"
_NAME = re.compile(
    r"stage_(?P<key>[0-9a-f]{12})_(?P<ms>\d+)_(?P<run>[0-9a-f]{6})_t(?P<try>\d+)(_token|_b\d+)?"
)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """The pair of refs of one attempt.

    Attempts of one stage share ``key`` and are ordered by ``submitted_ms``.
    """

    key: str
    submitted_ms: int
    run: str
    try_number: int

    @classmethod
    def of(cls, stage_key: str, attempt: Attempt) -> "Branch":
        """Name the branch of ``attempt``; pure, so an attempt can find what it left behind."""
        return cls(
            key=digest(stage_key.encode())[:12],
            submitted_ms=attempt.submitted_ms,
            run=digest(attempt.run_id.encode())[:6],
            try_number=attempt.try_number,
        )

    @property
    def name(self) -> str:
        """The ref that data is written to."""
        return f"{_PREFIX}{self.attempt}"

    @property
    def attempt(self) -> str:
        """What names the attempt among all that write the table."""
        return f"{self.key}_{self.submitted_ms}_{self.run}_t{self.try_number}"

    def is_behind(self, attempt: str) -> bool:
        """Tell whether ``attempt`` names an older one of the same stage."""
        parts = _NAME.fullmatch(f"{_PREFIX}{attempt}")
        if parts is None or parts["key"] != self.key:
            return False
        return int(parts["ms"]) < self.submitted_ms

    @property
    def token(self) -> str:
        """The ref that fences this attempt off once it is gone."""
        return f"{self.name}_token"


class Metadata:
    """One version of a table's metadata, as Iceberg's own JSON document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.refs: dict[str, int] = {
            name: ref["snapshot-id"] for name, ref in document.get("refs", {}).items()
        }
        self.snapshots: dict[int, dict[str, Any]] = {
            snapshot["snapshot-id"]: snapshot for snapshot in document.get("snapshots", [])
        }
        self.properties: dict[str, str] = document.get("properties", {})
        columns: dict[int, str] = {}
        for schema in document["schemas"]:
            columns |= {column["id"]: column["name"] for column in schema["fields"]}
        specs = {spec["spec-id"]: spec["fields"] for spec in document["partition-specs"]}
        self.identity: set[str] = set()
        self.other_transforms: list[str] = []
        for part in specs[document["default-spec-id"]]:
            if part["transform"] == "identity":
                self.identity.add(columns.get(part["source-id"], "?"))
            else:
                self.other_transforms.append(part["name"])

    def summary(self, snapshot_id: int) -> dict[str, str]:
        """Return a snapshot's summary; empty if the snapshot has expired."""
        summary: dict[str, str] = self.snapshots.get(snapshot_id, {}).get("summary", {})
        return summary

    def history(self, ref: str) -> Iterator[int]:
        """Yield the snapshot ids that ``ref`` is made of, newest first."""
        at = self.refs.get(ref)
        while at is not None and at in self.snapshots:
            yield at
            at = self.snapshots[at].get("parent-snapshot-id")

    def base(self, ref: str, fingerprint: str) -> int | None:
        """Return the snapshot that ``ref`` was opened at: the newest on it not of this work."""
        for snapshot_id in self.history(ref):
            if self.summary(snapshot_id).get(FINGERPRINT) != fingerprint:
                return snapshot_id
        return None

    def rivals(self, branch: Branch) -> dict[str, int]:
        """Return other attempts' refs of this stage, with the time each was submitted (ms)."""
        found = {}
        for parts in self._attempts(branch):
            found[parts[0]] = int(parts["ms"])
        found.pop(branch.name, None)
        found.pop(branch.token, None)
        return found

    def earlier_tries(self, branch: Branch) -> list[int]:
        """Return when earlier tries of the branch's own run were submitted, by their refs (ms)."""
        found = []
        for parts in self._attempts(branch):
            if parts["run"] == branch.run and int(parts["try"]) < branch.try_number:
                found.append(int(parts["ms"]))
        return found

    def _attempts(self, branch: Branch) -> Iterator[re.Match[str]]:
        for parts in filter(None, map(_NAME.fullmatch, self.refs)):
            if parts["key"] == branch.key:
                yield parts
