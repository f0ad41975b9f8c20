"""Iceberg's own rewrite of data files, of exactly those that are asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pyspark.sql import SparkSession

from tidegate.driver.jvm import jvm_of


@dataclass(frozen=True)
class DataFile:
    """A data file of a table.

    :param task: Iceberg's own task of reading it.
    :param sequence: the number of the snapshot that added it.
    :param partition: which it lies in, as Iceberg writes it.
    """

    task: Any
    size: int
    sequence: int
    partition: str


def data_files(table: Any, snapshot: int) -> Iterator[DataFile]:
    """Yield the data files of a snapshot that no row is deleted of.

    Borrowed (``planFiles``) because Spark's metadata tables cost a job each; without it, what to
    compact would cost as much as to compact it.
    """
    spec = table.spec().specId()
    tasks = table.newScan().useSnapshot(snapshot).planFiles()
    try:
        found = tasks.iterator()
        while found.hasNext():
            task = found.next()
            file = task.file()
            if file.specId() == spec and task.deletes().isEmpty():
                number = file.fileSequenceNumber() or 0
                partition = str(file.partition())
                yield DataFile(task, file.fileSizeInBytes(), number, partition)
    finally:
        tasks.close()


class Rewrite:
    """Data files written anew as few; nobody reads the new ones before they are committed.

    Borrowed (``ScanTaskSetManager``, ``SparkTableCache``, ``FileRewriteCoordinator``) because the
    action of Iceberg's own that is built of them takes no list of files, and commits by itself: it
    would rewrite what others wrote, and no fence would hold it back.
    """

    def __init__(self, spark: SparkSession, table: Any, files: Iterable[DataFile]) -> None:
        self._spark = spark
        self._table = table
        jvm = jvm_of(spark)
        self._tasks = jvm.java.util.ArrayList()
        self.old = jvm.java.util.HashSet()
        for file in files:
            self._tasks.add(file.task)
            self.old.add(file.task.file())
        self.new = jvm.java.util.HashSet()

    def write(self, target: int) -> None:
        """Write the new files.

        :param target: the bytes that a file is to have at most.
        """
        name = str(uuid4())
        spark = jvm_of(self._spark).org.apache.iceberg.spark
        tables = spark.SparkTableCache.get()
        staged = spark.ScanTaskSetManager.get()
        written = spark.FileRewriteCoordinator.get()
        tables.add(name, self._table)
        staged.stageTasks(self._table, name, self._tasks)
        try:
            reader = self._spark.read.format("iceberg").option("split-size", target)
            frame = reader.option("file-open-cost", 0).load(name)
            writer = frame.write.format("iceberg").option("target-file-size-bytes", target)
            writer.mode("append").save(name)
            self.new = written.fetchNewFiles(self._table, name)
        finally:
            tables.remove(name)
            staged.removeTasks(self._table, name)
            written.clearRewrite(self._table, name)

    def drop(self) -> None:
        """Delete the new files, which nothing names."""
        files = self.new.iterator()
        while files.hasNext():
            self._table.io().deleteFile(files.next().location())
