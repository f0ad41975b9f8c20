"""Delta tables, at one version."""

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from tidegate.contract import Input, PathRead
from tidegate.driver.inputs.found import Found
from tidegate.driver.jvm.delta import delta_version
from tidegate.errors import SpecError

_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
_NEEDED = (
    "Delta needs, in conf/spark-defaults.conf, its package beside the others of "
    "spark.jars.packages (for Spark 4.1 io.delta:delta-spark_4.1_2.13:4.1.0), "
    f"{_EXTENSION} beside the others of spark.sql.extensions, and "
    f"spark.sql.catalog.spark_catalog {_CATALOG}"
)


def open_delta(spark: SparkSession, read: PathRead) -> Found:
    """Open a Delta table by its path, at the version that the read names, else at that of now.

    :raises SpecError: if Spark lacks Delta's package or its configuration.
    :raises AnalysisException: if there is no such table or version.
    """
    version = read.version
    now = None
    if _EXTENSION in (spark.conf.get("spark.sql.extensions", None) or ""):
        now = delta_version(spark, read.path, "forPath")
    if now is None:
        raise SpecError(f"input {read.name!r}: {_NEEDED}")
    if version is None:
        # Pinned, as an Iceberg table: a job that looks twice sees one state.
        version = now
    reader = spark.read.format("delta").options(**read.options).option("versionAsOf", version)
    seen = Input(name=read.name, source=read.path, snapshot_id=version)
    return Found(reader.load(read.path), seen, f"{read.path}@{version}")


def version_of(spark: SparkSession, table: str) -> int | None:
    """Return the version that a table of Delta's catalog has; None if it is another's table."""
    catalog = table.partition(".")[0]
    if spark.conf.get(f"spark.sql.catalog.{catalog}", None) != _CATALOG:
        return None
    try:
        return delta_version(spark, table, "forName")
    except AnalysisException as error:
        # Delta's catalog stands before Spark's own, which holds tables of any format.
        if not str(error.getCondition()).startswith("DELTA_MISSING"):
            raise
        return None
