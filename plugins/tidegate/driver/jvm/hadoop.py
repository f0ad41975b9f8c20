"""Hadoop's file systems, and a folder on one: where a stream's checkpoint lies."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from tidegate.driver.jvm import java_session, jvm_of, start_jvm

_ASIDE = "_lost_"
_WHOLE_AT_ONCE = frozenset({"s3", "s3a", "gs"})
"""Where an object is there when all of it is, and a rename would copy it."""


def located(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """Return Hadoop's file system of a path or glob, and the path as Hadoop has it.

    Borrowed (``sessionState().newHadoopConf()``) because Python has no Hadoop file system; without
    it, only what lies on the driver's own disk could be looked at.

    :raises Py4JJavaError: if Hadoop has no file system for it.
    """
    conf = java_session(spark).sessionState().newHadoopConf()
    path = jvm_of(spark).org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(conf), path


def put(uri: str, text: str, conf: Mapping[str, str]) -> None:
    """Write a file, whole or not at all; also before there is a session, and after it.

    Borrowed (``_jvm``, ``SparkHadoopUtil``) because a report is due whether or not a session came
    to be; without it, a driver elsewhere could leave none.

    :param conf: what is set besides Spark's own conf: that of the file system may be secret.
    :raises Py4JError: if Hadoop cannot write there.
    """
    start_jvm()
    jvm = SparkContext._jvm
    assert jvm is not None  # noqa: S101  # started above
    given = jvm.org.apache.spark.SparkConf()
    for key, value in conf.items():
        given.set(key, value)
    hadoop = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(given)
    target = jvm.org.apache.hadoop.fs.Path(uri)
    files = target.getFileSystem(hadoop)
    if files.getScheme() in _WHOLE_AT_ONCE:
        _written(files, target, text)
        return
    aside = jvm.org.apache.hadoop.fs.Path(f"{uri}.{token_hex(4)}.tmp")
    _written(files, aside, text)
    if not files.rename(aside, target):
        # HDFS renames onto nothing. What lies there is what this very driver told before.
        files.delete(target, False)
        files.rename(aside, target)


def _written(files: Any, path: Any, text: str) -> None:
    out = files.create(path, True)
    try:
        out.write(bytearray(text.encode()))
    finally:
        out.close()


class Folder:
    """A folder, and small files in it."""

    def __init__(self, spark: SparkSession, uri: str) -> None:
        self._jvm = jvm_of(spark)
        self._files, _ = located(spark, uri)
        self.uri = uri

    def names(self, below: str = "") -> list[str]:
        """Return the names in a folder below, sorted; none if there is no such folder."""
        at = self._at(below)
        if not self._files.exists(at):
            return []
        return sorted(each.getPath().getName() for each in self._files.listStatus(at))

    def read(self, name: str) -> str | None:
        """Return a file's text; None if it is not there."""
        at = self._at(name)
        if not self._files.exists(at):
            return None
        source = self._files.open(at)
        try:
            text: str = self._jvm.org.apache.commons.io.IOUtils.toString(source, "UTF-8")
        finally:
            source.close()
        return text

    def write(self, name: str, text: str) -> None:
        """Write a new file, whole or not at all."""
        aside = self._at(f"{name}.tmp")
        _written(self._files, aside, text)
        self._files.rename(aside, self._at(name))

    def move_aside(self, when: int) -> str | None:
        """Keep what is there under another name, which is returned; None if nothing is."""
        if not self._files.exists(self._at("")):
            return None
        kept = f"{self.uri}{_ASIDE}{when}"
        self._files.rename(self._at(""), self._path_of(kept))
        return kept

    def _at(self, name: str) -> Any:
        return self._path_of("/".join(filter(None, (self.uri, name))))

    def _path_of(self, uri: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(uri)
