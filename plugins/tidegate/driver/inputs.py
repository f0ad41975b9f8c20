"""Opening a stage's inputs: paths and tables, each at one fixed state of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession

from tidegate.contract import Input, Read
from tidegate.driver.models import champion_version, load_model
from tidegate.errors import DataError

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # A header is what names the columns; a malformed line is a fault, not a row of nulls; and a schema given by
    # position would silently read a column under its neighbour's name.
    "csv": {"header": "true", "mode": "FAILFAST", "enforceSchema": "false"},
    "json": {"mode": "FAILFAST"},
}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A stage's inputs: what the job is offered by name, what the report says of them, and what identifies them."""

    offered: Mapping[str, Any]
    inputs: tuple[Input, ...]
    states: tuple[str, ...]


def open_inputs(spark: SparkSession, reads: tuple[Read, ...]) -> Opened:
    """Open every read, register frames as views of the same name, and note the snapshot each table is read at.

    :raises DataError: if a path or table is not there or cannot be read.
    """
    offered: dict[str, Any] = {}
    inputs, states = [], []
    for read in reads:
        value, seen, state = _open(spark, read)
        if isinstance(value, DataFrame):
            value.createOrReplaceTempView(read.name)
        offered[read.name] = value
        inputs.append(seen)
        states.append(state)
    return Opened(offered=offered, inputs=tuple(inputs), states=tuple(states))


def _open(spark: SparkSession, read: Read) -> tuple[Any, Input, str]:
    try:
        if read.model is not None:
            version = read.snapshot_id or champion_version(read.model)
            seen = Input(name=read.name, source=read.model, snapshot_id=version)
            return load_model(spark, read.model, version), seen, f"{read.model}@{version}"
        if read.table is not None:
            return _open_table(spark, read)
        return _open_path(spark, read)
    except (AnalysisException, Py4JJavaError) as error:
        first = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise DataError(f"input {read.name!r}: cannot read {read.source}: {first}") from error


def _open_table(spark: SparkSession, read: Read) -> tuple[DataFrame, Input, str]:
    name = str(read.table)
    if not spark.catalog.tableExists(name):
        raise DataError(
            f"input {read.name!r}: there is no table {name}; has the stage that writes it ever published?"
        )
    snapshot = read.snapshot_id or _current_snapshot(spark, name)
    reader = spark.read if snapshot is None else spark.read.option("versionAsOf", snapshot)
    seen = Input(name=read.name, source=name, snapshot_id=snapshot)
    return reader.table(name), seen, f"{name}@{snapshot}"


def _current_snapshot(spark: SparkSession, name: str) -> int | None:
    jvm: Any = spark._jvm
    catalog = spark.conf.get(f"spark.sql.catalog.{name.partition('.')[0]}", None) or ""
    if "iceberg" not in catalog:
        return None
    current = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        spark._jsparkSession, name
    ).currentSnapshot()
    return None if current is None else int(current.snapshotId())


def _open_path(spark: SparkSession, read: Read) -> tuple[DataFrame, Input, str]:
    path, kind = str(read.path), str(read.format)
    state = _path_state(spark, path)
    if not state:
        raise DataError(
            f"input {read.name!r}: there is nothing at {path}; land it, then clear this task"
        )
    reader: DataFrameReader = spark.read.format(kind).options(
        **{**_DEFAULTS.get(kind, {}), **read.options}
    )
    frame = (reader.schema(read.schema) if read.schema else reader).load(path)
    if not frame.columns:
        raise DataError(
            f"input {read.name!r}: {path} is empty: it has no columns, not even a header"
        )
    return frame, Input(name=read.name, source=path), state


def _path_state(spark: SparkSession, path: str) -> str:
    """Return what identifies the files at a path or glob without reading them: names, bytes and times of change."""
    jvm: Any = spark._jvm
    conf = spark._jsparkSession.sessionState().newHadoopConf()
    location = jvm.org.apache.hadoop.fs.Path(path)
    store = location.getFileSystem(conf)
    found = store.globStatus(location) or []
    return ";".join(
        f"{status.getPath()}:{store.getContentSummary(status.getPath()).getLength()}:{status.getModificationTime()}"
        for status in found
    )
