"""Files as Hadoop sees them, wherever they lie."""

from dataclasses import dataclass

from pyspark.sql import SparkSession

from tidegate.driver.jvm import java_session, jvm_of


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, or a folder of files, by Hadoop's count: ``changed_ms`` is since the epoch."""

    path: str
    files: int
    size: int
    changed_ms: int


def entries_at(spark: SparkSession, path: str) -> list[Entry]:
    """Return what lies at a path or glob.

    Borrowed (``sessionState().newHadoopConf()``) because Python has no Hadoop file system; without
    it, a retry could not tell whether its inputs are the ones that were judged.
    """
    conf = java_session(spark).sessionState().newHadoopConf()
    location = jvm_of(spark).org.apache.hadoop.fs.Path(path)
    files = location.getFileSystem(conf)
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
