"""Compaction: the many small files that one stream wrote to a table become a few.

It is a commit of its own, and changes no row. It touches no file that others wrote: their publishes
need those where they were.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from tidegate.driver.diagnose import chain_of
from tidegate.driver.jvm.rewrite import DataFile, Rewrite, data_files
from tidegate.driver.targets.provenance import COMPACTS, KEY
from tidegate.driver.targets.table.branches import BranchedTable, fenced_off
from tidegate.driver.targets.table.metadata import MAIN, Branch, Metadata

_TARGET = "write.target-file-size-bytes"
_TARGET_BYTES = 512 * 2**20
"""Iceberg's own default."""
_SMALL = 0.75
"""A file of so large a part of what one is to have stays as it is; as in Iceberg's own action."""
_UNKNOWN = "CommitStateUnknownException"


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """How many files became how many."""

    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be compacted, for whom.

    :param key: of the stage whose files it is about.
    :param summary: what the snapshot says.
    :param named: of the table: a property's name and value, set in the same commit.
    """

    branch: Branch
    key: str
    summary: Mapping[str, str]
    named: tuple[str, str]


class CompactedTable(BranchedTable):
    """A table whose small files a stream makes into few."""

    def compact(self, order: Order) -> Compacted | None:
        """Write the stream's small files anew, and commit that to main.

        :return: None if there is nothing worth it.
        :raises PublishError: if a newer attempt has fenced this one off.
        :raises Exception: what else went wrong; main is as it was.
        """
        now = self.metadata()
        main = now.refs.get(MAIN)
        if main is None:
            return None
        table = self._load()
        target = int(now.properties.get(_TARGET, _TARGET_BYTES))
        own = _numbers(now, order.key)
        files = [file for file in data_files(table, main) if file.sequence in own]
        chosen = list(worthwhile(files, int(target * _SMALL)))
        if not chosen:
            return None
        rewrite = Rewrite(self._spark, table, chosen)
        rewrite.write(target)
        try:
            self._commit(lambda: self._replace(order, main, rewrite))
        except (Py4JError, PySparkException) as error:
            self._clean(rewrite, error)
            current = self.metadata()
            if order.branch.token in current.refs:
                raise
            raise fenced_off(self.name, current, order.branch) from error
        return Compacted(before=len(chosen), after=rewrite.new.size())

    def _replace(self, order: Order, start: int, rewrite: Rewrite) -> None:
        change = self._load().newTransaction()
        # Iceberg refuses it if, since the files were read, somebody has removed one of them, or
        # deleted rows of one: an old file must not bring back what is gone.
        swap = change.newRewrite().validateFromSnapshot(start)
        swap = swap.rewriteFiles(rewrite.old, rewrite.new)
        for key, value in order.summary.items():
            swap = swap.set(key, value)
        swap.commit()
        # In the same commit: the next attempt counts from here.
        change.updateProperties().set(*order.named).commit()
        # Moving the refs is the fence, as at a publish; and the next micro-batch starts from here.
        # By the snapshot's id: asked to move a ref to a ref, Iceberg creates one that is gone.
        head = change.table().currentSnapshot().snapshotId()
        refs = change.manageSnapshots().replaceBranch(order.branch.name, head)
        refs.replaceBranch(order.branch.token, head).commit()
        change.commitTransaction()

    def _clean(self, rewrite: Rewrite, error: Exception) -> None:
        if _UNKNOWN in str(chain_of(error, self._spark)):
            return  # main may name them
        with suppress(Py4JJavaError):  # what is left is an orphan, for Iceberg's maintenance
            rewrite.drop()


def _numbers(now: Metadata, key: str) -> set[int]:
    """Return the sequence numbers of what a stage wrote or compacted, as far as it is known."""
    found = set()
    for snapshot in now.snapshots.values():
        summary = snapshot.get("summary", {})
        if key in (summary.get(KEY), summary.get(COMPACTS)):
            found.add(int(snapshot.get("sequence-number", 0)))
    return found - {0}  # of the first format of Iceberg's, no file tells who added it


def worthwhile(files: Iterable[DataFile], small: int) -> Iterator[DataFile]:
    """Yield the files that it is worth to write anew, in each partition by itself.

    :param small: the bytes up to which a file is small.
    """
    by_partition = attrgetter("partition")
    chosen = [file for file in files if file.size < small]
    chosen.sort(key=by_partition)
    for _, group in groupby(chosen, by_partition):
        mine = sorted(group, key=attrgetter("size"))
        total = sum(file.size for file in mine)
        # One that is larger than all the smaller ones together waits until they have grown: else
        # each compaction would write again all that those before it wrote.
        while mine and mine[-1].size > total - mine[-1].size:
            total -= mine.pop().size
        yield from mine
