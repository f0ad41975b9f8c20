"""Files as Hadoop sees them, wherever they lie."""

from dataclasses import dataclass

from pyspark.sql import SparkSession

from tidegate.driver.jvm.hadoop import located


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, or a folder of files, by Hadoop's count: ``changed_ms`` is since the epoch."""

    path: str
    files: int
    size: int
    changed_ms: int


def entries_at(spark: SparkSession, path: str) -> list[Entry]:
    """Return what lies at a path or glob.

    Borrowed (``globStatus``) as in :func:`~.hadoop.located`; without it, a retry could not tell
    whether its inputs are the ones that were judged.
    """
    files, location = located(spark, path)
    entries = []
    for status in files.globStatus(location) or []:
        inside = files.getContentSummary(status.getPath())
        entry = Entry(
            path=str(status.getPath()),
            files=inside.getFileCount(),
            size=inside.getLength(),
            changed_ms=status.getModificationTime(),
        )
        entries.append(entry)
    return entries
