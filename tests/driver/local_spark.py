"""A local Spark session with an Iceberg catalog."""

import os
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

ICEBERG = "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0"
POSTGRES = "org.postgresql:postgresql:42.7.13"
KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1,org.apache.spark:spark-avro_2.13:4.1.1"


def local_session(folder: Path) -> SparkSession:
    """Start a session whose catalog and warehouse lie in ``folder``."""
    session: SparkSession = (
        SparkSession.builder.master("local[2]")
        .appName("tidegate-tests")
        .config("spark.jars.packages", f"{ICEBERG},{POSTGRES},{KAFKA}")
        .config("spark.jars", os.environ.get("GRAPHFRAMES_JAR", ""))
        .config(
            "spark.sql.extensions",
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        )
        .config("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog")
        .config("spark.sql.catalog.lake.type", "hadoop")
        .config("spark.sql.catalog.lake.warehouse", str(folder / "lake"))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # Tests count jobs: by default, Spark forgets a hundred whenever there are a thousand.
        .config("spark.ui.retainedJobs", "1000000")
        .config("spark.driver.memory", "2g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def jobs_started(spark: SparkSession) -> int:
    """Return how many jobs Spark has started so far."""
    context: Any = spark.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty()  # the store learns of a job behind it
    return int(context.statusStore().jobsList(None).size())
