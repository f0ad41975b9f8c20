"""Where a table says which micro-batches of a stream it has."""

from collections.abc import Iterator

from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.metadata import MAIN, Metadata


def marks_of_history(now: Metadata, key: str) -> Iterator[Mark]:
    """Yield the marks of a stream's micro-batches on main, newest first."""
    for snapshot in now.history(MAIN):
        summary = now.summary(snapshot)
        found = Provenance.read(summary)
        # The snapshot with the data bears no verdict: the one on top of it does.
        if found is not None and found.key == key and found.passed:
            mark = Mark.read(summary)
            if mark is not None:
                yield mark


def mark_of_property(now: Metadata, name: str) -> Mark | None:
    """Return the mark in a table's property; None if main has been rolled back behind it."""
    text = now.properties.get(name)
    if text is None:
        return None
    mark, snapshot = Mark.of_property(text)
    if snapshot in now.snapshots:
        # It is there and not on main: somebody has rolled main back behind it.
        return None
    return mark


def snapshot_before(mark: Mark, now: Metadata, ref: str) -> int | None:
    """Return the snapshot that a merge began with: the newest on its branch not of its batch."""
    for snapshot in now.history(ref):
        if Mark.read(now.summary(snapshot)) != mark:
            return snapshot
    return None
