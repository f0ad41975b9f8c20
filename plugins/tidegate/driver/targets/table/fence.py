"""The fence: of all attempts of one stage, only the newest may publish; work is not done twice."""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.branches import BranchedTable, fenced_off
from tidegate.driver.targets.table.metadata import MAIN, Branch, Metadata
from tidegate.errors import SpecError


@dataclass(frozen=True)
class Fence:
    """What one attempt knows of its stage's other attempts, all read from the table itself."""

    table: BranchedTable
    branch: Branch
    mine: Provenance

    def turn(self) -> int:
        """Return what orders this attempt: its time, or right behind an earlier try of its run.

        Clocks are set back, and workers' clocks differ: by its time alone, a retry could come
        before the try that it follows, and be fenced off until the clock has caught up.
        """
        now = self.table.metadata()
        tries = [self.branch.submitted_ms - 1, *now.earlier_tries(self.branch)]
        for _, found in self._of_this_stage(now):
            # Only what is known to come before: a run that was deleted and made anew counts its
            # tries from one again.
            if found.is_earlier_try_of(self.mine):
                tries.append(found.submitted_ms)
        return max(tries) + 1

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
            # Who may not publish needs no refs, and leaves the older attempts to the newer one.
            self.table.drop(self.branch.name, self.branch.token)
            raise fenced_off(self.table.name, now, self.branch)
        # This commit is the fence. It comes last: an attempt that removed the older ones' refs and
        # then found a newer one would have ended their work for nothing. Killed before it, the
        # attempt leaves the older ones as they were, and its own pair for the next to remove.
        self.table.drop(*self._older(now))
        return now

    def clear(self) -> Metadata:
        """Remove what older attempts left behind; return the metadata seen before."""
        now = self.table.metadata()
        # No pair of its own is opened first: the work is on main already, and who comes later
        # finds it there, fence or no fence.
        self.table.drop(*self._older(now))
        return now

    def published(self, *, once: bool) -> int | None:
        """Return the snapshot of main on which an earlier try already published this very work.

        :param once: whether a snapshot of the same stage key with other work is an error (appends).
        :raises SpecError: if it is one.
        """
        for snapshot, found in self._of_this_stage(self.table.metadata()):
            if found.verdict is None:
                # Written by this stage, but the snapshot with the verdict lies on top of it.
                continue
            if found.fingerprint == self.mine.fingerprint:
                if found.submitted_ms > self.branch.submitted_ms:
                    return None  # a newer attempt's: raising the fence says so
                return snapshot
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
            if found is None or not found.passed:
                continue
            if found.fingerprint != self.mine.fingerprint:
                continue
            # A branch that main has left behind was judged beside rows that are no longer there.
            if main in (None, now.base(ref, found.fingerprint)):
                return head
        return None

    def _older(self, now: Metadata) -> list[str]:
        rivals = now.rivals(self.branch)
        return [ref for ref, ms in rivals.items() if ms <= self.branch.submitted_ms]

    def _publishers(self, now: Metadata) -> list[int]:
        return [found.submitted_ms for _, found in self._of_this_stage(now)]

    def _of_this_stage(self, now: Metadata) -> Iterator[tuple[int, Provenance]]:
        """Yield what main holds of this stage, newest first: the snapshot, and what it says."""
        for snapshot in now.history(MAIN):
            found = Provenance.read(now.summary(snapshot))
            if found is not None and found.key == self.mine.key:
                yield snapshot, found
