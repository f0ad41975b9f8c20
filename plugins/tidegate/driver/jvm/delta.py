"""Delta's tables, where its package is among Spark's."""

from typing import Literal

from py4j.java_gateway import JavaPackage
from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.jvm import java_session, jvm_of


def delta_version(spark: SparkSession, name: str, by: Literal["forPath", "forName"]) -> int | None:
    """Return the version that a Delta table has now; None if Spark lacks Delta's package.

    Borrowed (``DeltaTable``) because Delta's Python package need not be installed; without it, a
    stage that looks twice could see two states.

    :raises AnalysisException: if there is no such table.
    """
    tables = jvm_of(spark).io.delta.tables.DeltaTable
    if isinstance(tables, JavaPackage):  # py4j takes what is no class for a package
        return None
    history = getattr(tables, by)(java_session(spark), name).history(1)
    return int(DataFrame(history, spark).select("version").collect()[0].version)
