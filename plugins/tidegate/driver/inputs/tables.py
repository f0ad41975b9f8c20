"""Tables, Iceberg's at one snapshot, Delta's at one version."""

from pyspark.sql import SparkSession

from tidegate.contract import Input, TableRead
from tidegate.driver.inputs.delta import version_of
from tidegate.driver.inputs.found import Found
from tidegate.driver.jvm import current_snapshot
from tidegate.errors import DataError


def open_table(spark: SparkSession, read: TableRead) -> Found:
    """Open a table at the snapshot that the read names, else at the one it has now.

    :raises DataError: if there is no such table.
    """
    name = read.table
    if not spark.catalog.tableExists(name):
        raise DataError(
            f"input {read.name!r}: there is no table {name}; has the stage that writes it ever "
            "published?"
        )
    snapshot = read.snapshot_id
    if snapshot is None and _is_iceberg(spark, name):
        # Pinned: a job that looks twice sees one state, whatever is published meanwhile.
        snapshot = current_snapshot(spark, name)
    elif snapshot is None:
        snapshot = version_of(spark, name)
    reader = spark.read
    if snapshot is not None:
        reader = reader.option("versionAsOf", snapshot)
    seen = Input(name=read.name, source=name, snapshot_id=snapshot)
    return Found(reader.table(name), seen, f"{name}@{snapshot}")


def _is_iceberg(spark: SparkSession, name: str) -> bool:
    catalog = name.partition(".")[0]
    return "iceberg" in (spark.conf.get(f"spark.sql.catalog.{catalog}", None) or "")
