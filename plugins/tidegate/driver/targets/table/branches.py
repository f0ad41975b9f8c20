"""An Iceberg table and the branches that attempts stage their output on.

Every attempt opens two refs: ``stage_<key>_<ms>_<run>_t<try>``, which its data is written to, and
the same name with ``_token``. The token is the fence: Iceberg recreates a dropped *data* branch
when a write that was already under way commits to it (measured on 1.12), but nothing ever writes to
a token. Every commit of an attempt therefore names its token, and fails as soon as a newer attempt
has removed it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tidegate.contract import Attempt, digest
from tidegate.driver.jvm import iceberg_metadata, iceberg_table
from tidegate.errors import PublishError

MAIN = "main"
RETENTION_MS = 30 * 24 * 3600 * 1000
"""How long held data and fences outlive their attempt before Iceberg's own maintenance may expire them: 30 days."""
_NAME = re.compile(
    r"stage_(?P<key>[0-9a-f]{12})_(?P<ms>\d+)_[0-9a-f]{6}_t(?P<attempt>\d+)(?P<token>_token)?"
)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """The pair of refs of one attempt. Attempts of one stage share ``key`` and are ordered by ``submitted_ms``."""

    name: str
    key: str
    submitted_ms: int

    @classmethod
    def of(cls, stage_key: str, attempt: Attempt) -> "Branch":
        """Name the branch of ``attempt``; pure, so an attempt can find what it left behind."""
        key = digest(stage_key.encode())[:12]
        run = digest(attempt.run_id.encode())[:6]
        name = f"stage_{key}_{attempt.submitted_ms}_{run}_t{attempt.try_number}"
        return cls(name=name, key=key, submitted_ms=attempt.submitted_ms)

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
            s["snapshot-id"]: s for s in document.get("snapshots", [])
        }
        specs = {spec["spec-id"]: spec["fields"] for spec in document["partition-specs"]}
        columns = {f["id"]: f["name"] for s in document["schemas"] for f in s["fields"]}
        fields = specs[document["default-spec-id"]]
        self.identity = {
            columns.get(f["source-id"], "?") for f in fields if f["transform"] == "identity"
        }
        self.other_transforms = [f["name"] for f in fields if f["transform"] != "identity"]

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

    def rivals(self, branch: Branch) -> dict[str, int]:
        """Return every other attempt's refs of this stage, with the time each was submitted (ms)."""
        parts = {
            ref: _NAME.fullmatch(ref) for ref in self.refs if ref not in (branch.name, branch.token)
        }
        return {ref: int(m["ms"]) for ref, m in parts.items() if m and m["key"] == branch.key}


class BranchedTable:
    """The commits that publishing consists of, each one atomic."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._spark = spark
        self.name = name

    def _load(self) -> Any:
        return iceberg_table(self._spark, self.name)

    def metadata(self) -> Metadata:
        """Read the table's current metadata, in one call to the JVM."""
        return Metadata(json.loads(iceberg_metadata(self._spark, self._load())))

    def open(self, branch: Branch) -> None:
        """Create both refs of an attempt at the head of main, with no age limit: a ref is as old as its snapshot.

        A table nobody has written yet has no head: there an empty snapshot is made for them to
        point at.
        """
        table = self._load()
        head = table.currentSnapshot()
        if head is None:
            table.manageSnapshots().createBranch(branch.name).commit()
            self._refs_at(table, self.metadata().refs[branch.name], branch.token)
        else:
            self._refs_at(table, head.snapshotId(), branch.name, branch.token)

    @staticmethod
    def _refs_at(table: Any, snapshot_id: int, *refs: str) -> None:
        change = table.manageSnapshots()
        for ref in refs:
            change = change.createBranch(ref, snapshot_id)
        change.commit()

    def adopt(self, branch: Branch, snapshot_id: int) -> None:
        """Point the attempt's branch at a snapshot that an earlier try staged."""
        self._load().manageSnapshots().replaceBranch(branch.name, snapshot_id).commit()

    def drop(self, *refs: str) -> None:
        """Remove the refs that still exist, in one commit."""
        if present := [ref for ref in refs if ref in self.metadata().refs]:
            change = self._load().manageSnapshots()
            for ref in present:
                change = change.removeBranch(ref)
            change.commit()

    def label(self, branch: Branch, summary: Mapping[str, str]) -> int:
        """Add an empty snapshot to the branch whose summary carries the verdict; return its id.

        A snapshot's summary cannot change after the write, and the verdict is known only then.

        :raises PublishError: if a newer attempt has removed the token.
        """
        with _Commit(self, branch):
            change = self._load().newTransaction()
            # Fails without the token; and what a verdict holds back may expire one day.
            aged = change.manageSnapshots().setMaxRefAgeMs(branch.token, RETENTION_MS)
            aged.setMaxRefAgeMs(branch.name, RETENTION_MS).commit()
            _append_nothing(change, summary, branch.name)
            change.commitTransaction()
        return self.metadata().refs[branch.name]

    def publish(self, branch: Branch, staged: int | None, summary: Mapping[str, str]) -> int:
        """Make the branch what readers of main see, and remove its refs, in one commit; return main's new snapshot id.

        Where main has moved since the branch was opened, ``staged`` (the snapshot that holds the
        data; None if the output added and removed nothing) is cherry-picked onto it in that same
        commit.

        :raises PublishError: if a newer attempt has removed the token, or main has moved in
            conflict.
        """
        with _Commit(self, branch):
            now = self.metadata()
            main = now.refs.get(MAIN)
            if main is None or main in now.history(branch.name):
                refs = self._load().manageSnapshots().fastForwardBranch(MAIN, branch.name)
                refs.removeBranch(branch.name).removeBranch(branch.token).commit()
            else:
                self._pick(branch, staged, summary)
        return self.metadata().refs[MAIN]

    def _pick(self, branch: Branch, staged: int | None, summary: Mapping[str, str]) -> None:
        change = self._load().newTransaction()
        if staged is not None:
            change.manageSnapshots().cherrypick(staged).commit()
        _append_nothing(change, summary)
        change.manageSnapshots().removeBranch(branch.name).removeBranch(branch.token).commit()
        change.commitTransaction()


def _append_nothing(change: Any, summary: Mapping[str, str], branch: str | None = None) -> None:
    append = change.newAppend()
    if branch:
        append = append.toBranch(branch)
    for key, value in summary.items():
        append = append.set(key, value)
    append.commit()


class _Commit:
    """Says what a refused commit means: fenced off, or in conflict."""

    def __init__(self, table: BranchedTable, branch: Branch) -> None:
        self._table, self._branch = table, branch

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Py4JError | PySparkException):
            return
        now = self._table.metadata()
        if self._branch.token not in now.refs:
            raise fenced_off(self._table.name, now, self._branch) from error
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise PublishError(
            f"{self._table.name}: the judged snapshot could not be moved to main, which is now at snapshot "
            f"{now.refs.get(MAIN)}: {reason}"
        ) from error


def fenced_off(table: str, now: Metadata, branch: Branch) -> PublishError:
    """Say that a newer attempt of the same stage has taken over, and which one if it can still be seen."""
    newer = sorted(ref for ref, ms in now.rivals(branch).items() if ms > branch.submitted_ms)
    by = f" by {newer[-1].removesuffix('_token')}" if newer else ""
    return PublishError(
        f"{table}: this attempt was fenced off{by}: a newer attempt of the same stage has begun"
    )
