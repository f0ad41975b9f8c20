"""The fence: of all attempts of one stage, only the newest may publish, and work done once is not done again."""

from tidegate.driver.publish.branches import MAIN, Branch, BranchedTable, Metadata, fenced_off
from tidegate.errors import SpecError


class Fence:
    """What one attempt knows of the other attempts of its stage, all of it read from the table itself."""

    def __init__(self, table: BranchedTable, branch: Branch, stage: str, fingerprint: str) -> None:
        self._table, self._branch = table, branch
        self._stage, self._fingerprint = stage, fingerprint

    def raise_(self) -> Metadata:
        """Open this attempt's branch and remove those of older ones; return the metadata seen in between.

        :raises PublishError: if a newer attempt has begun or published.
        """
        # Open first and look second: of two attempts that begin together, at least one sees the other.
        self._table.open(self._branch)
        now = self._table.metadata()
        if (
            max((*now.rivals(self._branch).values(), *self._publishers(now)), default=0)
            > self._branch.submitted_ms
        ):
            self._table.drop(self._branch.name, self._branch.token)
            raise fenced_off(self._table.name, now, self._branch)
        self._table.drop(*self._older(now))
        return now

    def clear(self) -> Metadata:
        """Remove what older attempts left behind; return the metadata seen before."""
        now = self._table.metadata()
        self._table.drop(*self._older(now))
        return now

    def published(self, *, once: bool) -> int | None:
        """Return the snapshot of main on which an earlier try already published this very work.

        :param once: whether a snapshot of the same stage key with other work is an error (appends).
        :raises SpecError: if it is one.
        """
        now = self._table.metadata()
        for snapshot in now.history(MAIN):
            summary = now.summary(snapshot)
            if "tidegate.verdict" not in summary or summary.get("tidegate.stage") != self._stage:
                continue
            if summary.get("tidegate.fingerprint") == self._fingerprint:
                newer = int(summary["tidegate.submitted_ms"]) > self._branch.submitted_ms
                return None if newer else snapshot
            if once:
                raise SpecError(
                    f"{self._table.name}: run {summary.get('tidegate.run_id')!r} has already appended snapshot "
                    f"{snapshot}, from other inputs or code, or before this task was cleared. To append anew, roll "
                    f"it back first (CALL <catalog>.system.rollback_to_snapshot)"
                )
        return None

    def passed(self) -> int | None:
        """Return the head of an older attempt's branch that holds this very work, judged, passed and based on main."""
        now = self._table.metadata()
        main = now.refs.get(MAIN)
        for ref in self._older(now):
            summary = now.summary(now.refs[ref])
            same = summary.get("tidegate.fingerprint") == self._fingerprint
            if (
                same
                and summary.get("tidegate.verdict") in ("pass", "warn")
                and main in (None, *now.history(ref))
            ):
                return now.refs[ref]
        return None

    def _older(self, now: Metadata) -> list[str]:
        return [
            ref for ref, ms in now.rivals(self._branch).items() if ms <= self._branch.submitted_ms
        ]

    def _publishers(self, now: Metadata) -> list[int]:
        summaries = (now.summary(snapshot) for snapshot in now.history(MAIN))
        return [
            int(s["tidegate.submitted_ms"])
            for s in summaries
            if s.get("tidegate.stage") == self._stage
        ]
