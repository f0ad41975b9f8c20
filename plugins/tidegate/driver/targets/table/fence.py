"""The fence: of all attempts of one stage, only the newest may publish; work is not done twice."""

from dataclasses import dataclass

from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.branches import (
    MAIN,
    Branch,
    BranchedTable,
    Metadata,
    fenced_off,
)
from tidegate.errors import SpecError


@dataclass(frozen=True)
class Fence:
    """What one attempt knows of its stage's other attempts, all of it read from the table itself."""

    table: BranchedTable
    branch: Branch
    mine: Provenance

    def raise_(self) -> Metadata:
        """Open this attempt's branch, remove those of older ones; return what was there between.

        :raises PublishError: if a newer attempt has begun or published.
        """
        # Open first and look second: of two attempts that begin together, at least one sees the
        # other. The other way round both could look, see nobody, and go on.
        self.table.open(self.branch)
        now = self.table.metadata()
        others = [*now.rivals(self.branch).values(), *self._publishers(now)]
        if max(others, default=0) > self.branch.submitted_ms:
            self.table.drop(self.branch.name, self.branch.token)
            raise fenced_off(self.table.name, now, self.branch)
        self.table.drop(*self._older(now))
        return now

    def clear(self) -> Metadata:
        """Remove what older attempts left behind; return the metadata seen before."""
        now = self.table.metadata()
        self.table.drop(*self._older(now))
        return now

    def published(self, *, once: bool) -> int | None:
        """Return the snapshot of main on which an earlier try already published this very work.

        :param once: whether a snapshot of the same stage key with other work is an error (appends).
        :raises SpecError: if it is one.
        """
        now = self.table.metadata()
        for snapshot in now.history(MAIN):
            found = Provenance.read(now.summary(snapshot))
            if found is None or found.verdict is None or found.key != self.mine.key:
                continue
            if found.fingerprint == self.mine.fingerprint:
                newer = found.submitted_ms > self.branch.submitted_ms
                return None if newer else snapshot
            if once:
                raise SpecError(
                    f"{self.table.name}: run {found.run_id!r} has already appended snapshot "
                    f"{snapshot}, from other inputs or code, or before this task was cleared. "
                    "To append anew, roll it back first (CALL <catalog>.system."
                    "rollback_to_snapshot)"
                )
        return None

    def passed(self) -> int | None:
        """Return the head of an older branch with this very work, judged, passed, based on main."""
        now = self.table.metadata()
        main = now.refs.get(MAIN)
        for ref in self._older(now):
            head = now.refs[ref]
            found = Provenance.read(now.summary(head))
            if found is None or found.fingerprint != self.mine.fingerprint or not found.passed:
                continue
            # A branch that main has left behind was judged beside rows that are no longer there.
            if main is None or main in now.history(ref):
                return head
        return None

    def _older(self, now: Metadata) -> list[str]:
        rivals = now.rivals(self.branch)
        return [ref for ref, ms in rivals.items() if ms <= self.branch.submitted_ms]

    def _publishers(self, now: Metadata) -> list[int]:
        found = [Provenance.read(now.summary(snapshot)) for snapshot in now.history(MAIN)]
        return [each.submitted_ms for each in found if each and each.key == self.mine.key]
