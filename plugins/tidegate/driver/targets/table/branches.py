"""An Iceberg table and the branches that attempts stage their output on.

Every attempt opens two refs: ``stage_<key>_<ms>_<run>_t<try>``, which its data is written to, and
the same name with ``_token``. The token is the fence: Iceberg recreates a dropped *data* branch
when a write that was already under way commits to it (measured on 1.12), but nothing ever writes to
a token. Every commit of an attempt therefore names its token, and fails as soon as a newer attempt
has removed it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import random
from time import sleep
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession

from tidegate.driver.diagnose import chain_of, decisive_of
from tidegate.driver.jvm import iceberg_table
from tidegate.driver.jvm.iceberg import metadata_document, metadata_version
from tidegate.driver.targets.provenance import FINGERPRINT, MERGES
from tidegate.driver.targets.table.metadata import MAIN, Branch, Metadata
from tidegate.errors import ClusterUnavailable, PublishError, ResourceExhausted, SpecError
from tidegate.failures import rule_of

RETENTION_MS = 30 * 24 * 3600 * 1000
"""How long held data and fences outlive their attempt, before Iceberg may expire them: 30 days."""
_UNABLE = (ResourceExhausted, ClusterUnavailable, SpecError)
_CAME_SECOND = "CommitFailedException"
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds before a commit that came second is made anew, up to twice as long."""
_GONE = "TABLE_OR_VIEW_NOT_FOUND"


class BranchedTable:
    """The commits that publishing consists of, each one atomic."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._spark = spark
        self.name = name
        self._seen: tuple[str, Metadata | None] = ("", None)

    def _load(self) -> Any:
        try:
            return iceberg_table(self._spark, self.name)
        except AnalysisException as error:
            if error.getCondition() != _GONE:
                raise
            # Nothing is wrong with the job: the table was there when this attempt began, and the
            # next try creates it.
            raise PublishError(
                f"{self.name}: the table was dropped while this attempt worked"
            ) from error

    def metadata(self) -> Metadata:
        """Return the table's current metadata, which is read once for each of its versions."""
        table = self._load()
        version = metadata_version(table)
        known, now = self._seen
        if now is None or version != known:
            now = Metadata(json.loads(metadata_document(self._spark, table)))
            self._seen = (version, now)
        return now

    def _commit(self, change: Callable[[], None]) -> None:
        """Make a change, anew on the newest version each time another writer's commit came first.

        Iceberg does so itself for a write, but for no transaction that changes refs; and eight
        partitions that are published at once get in each other's way at every step.
        """
        for pause in _PAUSES:
            try:
                change()
                return
            except Py4JJavaError as error:
                if _CAME_SECOND not in str(chain_of(error, self._spark)):
                    raise
            sleep(pause * (1 + random()))  # noqa: S311  (so that two do not meet again)
        change()

    def open(self, branch: Branch) -> None:
        """Create both refs of an attempt at the head of main.

        A table nobody has written yet has no head: there an empty snapshot is made for them to
        point at.
        """
        self._commit(lambda: self._open(branch))

    def _open(self, branch: Branch) -> None:
        now = self.metadata().refs
        if MAIN not in now and branch.name not in now:
            # Two commits, as the empty snapshot has no id before the first. Killed between them,
            # the attempt leaves a branch without a token: it can publish nothing, and the next
            # attempt finds the branch by its name and removes it.
            self._load().manageSnapshots().createBranch(branch.name).commit()
            now = self.metadata().refs
        if branch.name in now:
            self._refs_at(now[branch.name], branch.token)
        else:
            self._refs_at(now[MAIN], branch.name, branch.token)

    def _refs_at(self, snapshot_id: int, *refs: str) -> None:
        # No age limit yet: a ref is as old as its snapshot, and main's head may be older than any
        # limit; Iceberg's maintenance would remove the fence of an attempt at work.
        change = self._load().manageSnapshots()
        for ref in refs:
            change = change.createBranch(ref, snapshot_id)
        change.commit()

    def adopt(self, branch: Branch, snapshot_id: int) -> None:
        """Point the attempt's branch at a snapshot that an earlier try staged.

        :raises PublishError: if a newer attempt has removed the branch.
        """
        with Commit(self, branch):
            # The publish after this one names this attempt's refs, so the judged work has to be on
            # them: the refs of the try that did it went when the fence was raised. Killed between
            # that and this commit, no ref names the work any more, and the next try does it again.
            self._commit(
                lambda: (
                    self._load().manageSnapshots().replaceBranch(branch.name, snapshot_id).commit()
                )
            )

    def drop(self, *refs: str) -> None:
        """Remove the refs that still exist, in one commit."""
        self._commit(lambda: self._drop(refs))

    def _drop(self, refs: Sequence[str]) -> None:
        now = self.metadata().refs
        present = [ref for ref in refs if ref in now]
        if not present:
            return
        change = self._load().manageSnapshots()
        for ref in present:
            change = change.removeBranch(ref)
        # One commit, not one a ref: older attempts are fenced off at one moment, not by and by.
        change.commit()

    def label(self, branch: Branch, summary: Mapping[str, str]) -> int:
        """Add an empty snapshot to the branch whose summary carries the verdict; return its id.

        A snapshot's summary cannot change after the write, and the verdict is known only then.

        :raises PublishError: if a newer attempt has removed the token.
        """
        with Commit(self, branch):
            self._commit(lambda: self._label(branch, summary))
        return self.metadata().refs[branch.name]

    def _label(self, branch: Branch, summary: Mapping[str, str]) -> None:
        change = self._load().newTransaction()
        # The age limit is why this commit names the token, and so fails without it: nothing
        # else guards an append to a branch, which Iceberg would create anew. And what a verdict
        # holds back may expire one day; before the verdict nothing may.
        aged = change.manageSnapshots().setMaxRefAgeMs(branch.token, RETENTION_MS)
        aged.setMaxRefAgeMs(branch.name, RETENTION_MS).commit()
        append_nothing(change, summary, branch.name)
        # One commit: with the guard in a commit of its own, a fence could rise between the two.
        change.commitTransaction()

    def publish(self, branch: Branch, staged: int | None, summary: Mapping[str, str]) -> int:
        """Make the branch what readers of main see, and remove its refs, in one commit.

        Where main has moved since the branch was opened, ``staged`` (the snapshot that holds the
        data; None if the output added and removed nothing) is cherry-picked onto it in that same
        commit.

        :return: main's new snapshot id.
        :raises PublishError: if a newer attempt has removed the token, or main has moved in
            conflict.
        """
        with Commit(self, branch):
            self._commit(lambda: self._move(branch, staged, summary))
        return self.metadata().refs[MAIN]

    def _move(self, branch: Branch, staged: int | None, summary: Mapping[str, str]) -> None:
        now = self.metadata()
        main = now.refs.get(MAIN)
        # Main at any other ancestor was rolled back meanwhile: forwarded, it would bring back
        # what somebody took away.
        if main in (None, now.base(branch.name, summary[FINGERPRINT])):
            refs = self._load().manageSnapshots().fastForwardBranch(MAIN, branch.name)
            # Removing the token in the commit that moves main is the fence: without the token
            # all of it fails. In two commits, an older attempt could move main after a newer
            # one has begun. If main moves after the look above, Iceberg refuses to forward it,
            # and the retry starts from the main of then.
            refs.removeBranch(branch.name).removeBranch(branch.token).commit()
            return
        # Never picked, though Iceberg would pick one that only added rows: somebody may have added
        # the same keys meanwhile, and each would be there twice.
        if MERGES in summary:
            raise behind(self.name, main)
        self._pick(branch, staged, summary)

    def is_unable(self, error: Exception) -> bool:
        """Tell whether a commit was refused by the store and its disk, not by who else writes."""
        chain = chain_of(error, self._spark)
        rule = rule_of(chain, decisive_of(chain))
        return rule is not None and rule.error in _UNABLE

    def _pick(self, branch: Branch, staged: int | None, summary: Mapping[str, str]) -> None:
        change = self._load().newTransaction()
        if staged is not None:
            # Iceberg checks here that nobody changed the same partition since the branch was
            # opened: rows that were judged beside others must not bury theirs.
            change.manageSnapshots().cherrypick(staged).commit()
        # The picked snapshot repeats what the write said, which knew no verdict; the snapshot that
        # bears it stays behind on the branch. On main, too, the last word is a judged one.
        append_nothing(change, summary)
        # Fails without the token, and then main has not moved either: all of it is one commit.
        change.manageSnapshots().removeBranch(branch.name).removeBranch(branch.token).commit()
        change.commitTransaction()


def append_nothing(change: Any, summary: Mapping[str, str], branch: str | None = None) -> None:
    """Add an empty snapshot that bears a summary, to a branch or to main, within a transaction."""
    append = change.newAppend()
    if branch:
        append = append.toBranch(branch)
    for key, value in summary.items():
        append = append.set(key, value)
    append.commit()


class Commit:
    """Says what a refused commit means: fenced off, or in conflict.

    Iceberg tells a missing token and a main that cannot be forwarded by the same class, so the refs
    are asked: an attempt without a token is fenced off, any other refusal is a conflict. Both are
    safe to retry. A store that does not answer does not answer this question either, and that error
    is for the diagnosis, as is a disk that is full or may not be written to.
    """

    def __init__(self, table: BranchedTable, branch: Branch) -> None:
        self._table = table
        self._branch = branch

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Py4JError | PySparkException):
            return
        now = self._table.metadata()
        if self._branch.token not in now.refs:
            with suppress(Py4JError, PySparkException):  # what is left, the next attempt drops
                # A write that was under way when the fence rose has made the branch anew; without
                # a token nobody can publish it, and it would outlive the newer attempt.
                self._table.drop(self._branch.name)
            raise fenced_off(self._table.name, now, self._branch) from error
        if self._table.is_unable(error):
            return
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise PublishError(
            f"{self._table.name}: the judged snapshot could not be moved to main, which is now at "
            f"snapshot {now.refs.get(MAIN)}",
            quote=reason,
        ) from error


def behind(table: str, main: int | None) -> PublishError:
    """Say that rows were merged with a table that others have changed since."""
    return PublishError(
        f"{table}: others have published (main is at snapshot {main} now) since these "
        "rows were merged with the table; the retry merges them with the table of now",
        quote="",
    )


def fenced_off(table: str, now: Metadata, branch: Branch) -> PublishError:
    """Say that a newer attempt of the same stage has taken over, and which, if it is still seen."""
    rivals = now.rivals(branch)
    newer = [ref for ref, ms in rivals.items() if ms > branch.submitted_ms]
    by = ""
    if newer:
        by = f" by {max(newer).removesuffix('_token')}"
    return PublishError(
        f"{table}: this attempt was fenced off{by}: a newer attempt of the same stage has begun",
        quote="",
    )
