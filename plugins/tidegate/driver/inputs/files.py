"""Files at a path or glob."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from tidegate.contract import Input, PathRead, digest
from tidegate.driver.inputs.delta import open_delta
from tidegate.driver.inputs.found import Found
from tidegate.driver.jvm.files import Entry, entries_at
from tidegate.errors import DataError

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # A header is what names the columns; a malformed line is a fault, not a row of nulls; and a
    # schema given by position would silently read a column under its neighbour's name.
    "csv": {"header": "true", "mode": "FAILFAST", "enforceSchema": "false"},
    "json": {"mode": "FAILFAST"},
}


def open_path(spark: SparkSession, read: PathRead) -> Found:
    """Open files; what identifies them are their names, bytes and times of change.

    A Delta table's files are its own: that is opened at one version.

    :raises DataError: if nothing is there, or nothing that has columns.
    """
    if read.format == "delta":
        return open_delta(spark, read)
    if read.stream:
        return _arriving(spark, read)
    entries = entries_at(spark, read.path)
    where = f"input {read.name!r}"
    if not entries:
        raise DataError(f"{where}: there is nothing at {read.path}; land it, then clear this task")
    files = sum(each.files for each in entries)
    if files < (read.min_files or 0):
        raise DataError(
            f"{where}: {files} files at {read.path}, and min_files asks for {read.min_files}; land "
            "those that are missing, then clear this task"
        )
    reader = spark.read.format(read.format).options(**_options(read))
    if read.schema:
        reader = reader.schema(read.schema)
    frame = reader.load(read.path)
    if not frame.columns:
        raise DataError(f"{where}: {read.path} is empty: it has no columns, not even a header")
    state = ";".join(f"{each.path}:{each.size}:{each.changed_ms}" for each in entries)
    seen = Input(name=read.name, source=read.path, state=_told(entries, files, state))
    return Found(frame, seen, state)


def _told(entries: Sequence[Entry], files: int, state: str) -> str:
    """Say of which files a frame is, so that two reports can be told apart."""
    changed_ms = max(each.changed_ms for each in entries)
    newest = datetime.fromtimestamp(changed_ms / 1000, UTC).isoformat(timespec="seconds")
    size = sum(each.size for each in entries)
    count = "1 file" if files == 1 else f"{files:,} files"
    return f"{count}, {size:,} bytes, newest {newest}, digest {digest(state.encode())[:12]}"


def _arriving(spark: SparkSession, read: PathRead) -> Found:
    """Open a folder or glob as a stream, in which each new file is read once.

    What identifies a stream is its place: how far it has been read, the target says.
    """
    reader = spark.readStream.format(read.format).options(**_options(read))
    frame = reader.schema(str(read.schema)).load(read.path)
    return Found(frame, Input(name=read.name, source=read.path), f"stream {read.path}")


def _options(read: PathRead) -> dict[str, str]:
    return {**_DEFAULTS.get(read.format, {}), **read.options}
