"""Files at a path or glob."""

from collections.abc import Mapping

from pyspark.sql import SparkSession

from tidegate.contract import Input, PathRead
from tidegate.driver.inputs.found import Found
from tidegate.driver.jvm import path_state
from tidegate.errors import DataError

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # A header is what names the columns; a malformed line is a fault, not a row of nulls; and a
    # schema given by position would silently read a column under its neighbour's name.
    "csv": {"header": "true", "mode": "FAILFAST", "enforceSchema": "false"},
    "json": {"mode": "FAILFAST"},
}


def open_path(spark: SparkSession, read: PathRead) -> Found:
    """Open files; what identifies them are their names, bytes and times of change.

    :raises DataError: if nothing is there, or nothing that has columns.
    """
    if read.stream:
        return _arriving(spark, read)
    state = path_state(spark, read.path)
    where = f"input {read.name!r}"
    if not state:
        raise DataError(f"{where}: there is nothing at {read.path}; land it, then clear this task")
    reader = spark.read.format(read.format).options(**_options(read))
    if read.schema:
        reader = reader.schema(read.schema)
    frame = reader.load(read.path)
    if not frame.columns:
        raise DataError(f"{where}: {read.path} is empty: it has no columns, not even a header")
    return Found(frame, Input(name=read.name, source=read.path), state)


def _arriving(spark: SparkSession, read: PathRead) -> Found:
    """Open a folder or glob as a stream, in which each new file is read once.

    What identifies a stream is its place: how far it has been read, the target says.
    """
    reader = spark.readStream.format(read.format).options(**_options(read))
    frame = reader.schema(str(read.schema)).load(read.path)
    return Found(frame, Input(name=read.name, source=read.path), f"stream {read.path}")


def _options(read: PathRead) -> dict[str, str]:
    return {**_DEFAULTS.get(read.format, {}), **read.options}
