"""Tables made and changed by Spark's catalog API, which takes names as they are.

SQL text is parsed, and before that Spark replaces ``${env:…}`` in it: a column's name comes from
data, and must never be part of one.
"""

from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.jvm import java_frame, java_session, jvm_of


def create_table(frame: DataFrame, name: str, by: Iterable[str] = ()) -> None:
    """Create an empty Iceberg table of a frame's columns, all nullable, as CREATE TABLE does.

    Tomorrow's data may lack what today's has. Borrowed (``catalogManager``, ``Utils``) because
    PySpark's writers make no table without a snapshot; without it, a name would be text of SQL.

    :param by: columns to partition by, in this order, by their values.
    :raises AnalysisException: if there is such a table.
    """
    spark = frame.sparkSession
    spark_sql = jvm_of(spark).org.apache.spark.sql.connector
    owner = jvm_of(spark).org.apache.spark.util.Utils.getCurrentUserName()
    columns = spark_sql.catalog.CatalogV2Util.structTypeToV2Columns(_nullable(frame))
    transforms = [spark_sql.expressions.Expressions.identity(_quoted(column)) for column in by]
    partitions = _array(spark, spark_sql.expressions.Transform, transforms)
    table = getattr(spark_sql.catalog, "TableInfo$Builder")()
    table = table.withColumns(columns).withPartitions(partitions)
    table = table.withProperties({"provider": "iceberg", "owner": owner})
    catalog, identifier = _located(spark, name)
    catalog.createTable(identifier, table.build())


def add_columns(frame: DataFrame, name: str) -> None:
    """Add a frame's columns to a table, nullable and last, in one commit.

    Borrowed (``catalogManager``, ``TableChange``) for the same reason.
    """
    spark = frame.sparkSession
    jvm = jvm_of(spark)
    change = jvm.org.apache.spark.sql.connector.catalog.TableChange
    changes = []
    for field in _nullable(frame).fields():
        named = _array(spark, jvm.java.lang.String, [field.name()])
        comment = None
        if field.getComment().isDefined():
            comment = field.getComment().get()
        changes.append(change.addColumn(named, field.dataType(), True, comment))
    catalog, identifier = _located(spark, name)
    catalog.alterTable(identifier, _array(spark, change, changes))


def _nullable(frame: DataFrame) -> Any:
    return java_frame(frame).schema().asNullable()


def _quoted(column: str) -> str:
    """Return a column's name as ``Expressions`` takes it apart: without, ``a.b`` is b within a."""
    return "`" + column.replace("`", "``") + "`"


def _located(spark: SparkSession, name: str) -> tuple[Any, Any]:
    """Return the catalog of a table, and what the catalog calls the table."""
    catalog, *namespace, table = name.split(".")
    jvm = jvm_of(spark)
    identifier = jvm.org.apache.spark.sql.connector.catalog.Identifier
    manager = java_session(spark).sessionState().catalogManager()
    folders = _array(spark, jvm.java.lang.String, namespace)
    return manager.catalog(catalog), identifier.of(folders, table)


def _array(spark: SparkSession, kind: Any, values: list[Any]) -> Any:
    # Borrowed (`_gateway`) because py4j hands over no Python list where Java wants an array.
    gateway: Any = spark.sparkContext._gateway
    array = gateway.new_array(kind, len(values))
    for place, value in enumerate(values):
        array[place] = value
    return array
