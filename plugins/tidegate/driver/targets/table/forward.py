"""The one commit of a micro-batch: data, verdict, offsets and fence together."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.driver.targets.provenance import MERGES
from tidegate.driver.targets.table.branches import (
    BranchedTable,
    Commit,
    append_nothing,
    behind,
    fenced_off,
)
from tidegate.driver.targets.table.metadata import MAIN, Branch


@dataclass(frozen=True, kw_only=True)
class Forward:
    """A judged micro-batch on its way to main.

    :param base: where the branch was before the batch: main, as it was then.
    :param staged: the snapshot that holds the data, None if there is none.
    :param summary: what the snapshot says that main then is at.
    :param named: of the table: a property's name and value, set in the same commit.
    """

    branch: Branch
    base: int | None
    staged: int | None
    summary: Mapping[str, str]
    named: tuple[str, str]


class StreamedTable(BranchedTable):
    """A table whose attempt keeps its refs from one publish to the next."""

    def forward(self, move: Forward) -> int:
        """Make the branch what readers of main see, and keep its refs for what comes next.

        :return: main's new snapshot id.
        :raises PublishError: if a newer attempt has removed the token, or main has moved in
            conflict.
        """
        with Commit(self, move.branch):
            self._commit(lambda: self._forward(move))
        return self.metadata().refs[MAIN]

    def _forward(self, move: Forward) -> None:
        now = self.metadata()
        if move.branch.name not in now.refs:
            # A newer attempt has removed it while this one judged.
            raise fenced_off(self.name, now, move.branch)
        change = self._load().newTransaction()
        # Rows are not judged beside what others wrote: where main has moved, they are picked.
        main = now.refs.get(MAIN)
        picks = main not in (None, move.base)
        if picks and MERGES in move.summary:
            # Somebody may have added the same keys: picked, each would be there twice.
            raise behind(self.name, main)
        if picks and move.staged is not None:
            change.manageSnapshots().cherrypick(move.staged).commit()
        # On main the last word is a judged one, which says which batch it was and where it ended.
        append_nothing(change, move.summary, None if picks else move.branch.name)
        # A property outlives every snapshot: offsets are found when Iceberg has expired these.
        change.updateProperties().set(*move.named).commit()
        refs = change.manageSnapshots()
        if not picks:
            refs = refs.fastForwardBranch(MAIN, move.branch.name)
        # Moving the token is the fence: without the token all of it fails, and main stays.
        refs.replaceBranch(move.branch.token, now.refs[move.branch.name]).commit()
        change.commitTransaction()
