"""Failures provoked on a local Spark session, each with the error that it is, judged by hand."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

Provoke = Callable[[SparkSession, Path], object]
SQL: dict[str, tuple[str | None, str]] = {
    "bad cast": ("DataError", "SELECT CAST('seven' AS INT)"),
    "bad cast in a task": (
        "DataError",
        "SELECT CAST(concat('no', id) AS INT) FROM range(1)",
    ),
    "bad date": ("DataError", "SELECT CAST('2013-02-30' AS DATE)"),
    "bad timestamp": ("DataError", "SELECT to_timestamp('seven', 'yyyy-MM-dd')"),
    "bad JSON": ("DataError", "SELECT from_json('{', 'a INT', map('mode', 'FAILFAST'))"),
    "divide by zero": ("DataError", "SELECT 1 / id FROM range(3)"),
    "int overflow": ("DataError", "SELECT 2147483647 + CAST(id AS INT) FROM range(3)"),
    "cast overflow": ("DataError", "SELECT CAST(1e10D AS INT)"),
    "decimal overflow": ("DataError", "SELECT CAST(12345 AS DECIMAL(3, 0))"),
    "array index": ("DataError", "SELECT array(1, 2)[CAST(id AS INT) + 2] FROM range(1)"),
    "element at zero": ("DataError", "SELECT element_at(array(1), CAST(id AS INT)) FROM range(1)"),
    "map key twice": (
        "DataError",
        "SELECT map_from_arrays(array(id, id), array(1, 2)) FROM range(1)",
    ),
    "too many rows": ("DataError", "SELECT (SELECT id FROM range(3))"),
    "raise_error": ("DataError", "SELECT raise_error('no such airport')"),
    "collection too large": (
        None,
        "SELECT array_repeat(id, 2147483647) FROM range(1)",
    ),
    "syntax": ("SpecError", "SELECT 1 FORM range(3)"),
    "missing table": ("JobError", "SELECT * FROM no_such_table"),
    "missing column": ("JobError", "SELECT carrier FROM range(3)"),
    "missing function": ("JobError", "SELECT no_such_function(id) FROM range(3)"),
    "missing catalog": ("JobError", "SELECT * FROM nowhere.flights.clean"),
    "ambiguous column": ("JobError", "SELECT id FROM range(3) AS a, range(3) AS b"),
    "not grouped": ("JobError", "SELECT id, count(*) FROM range(3)"),
    "wrong type": ("JobError", "SELECT array(1) + 1"),
    "columns do not match": ("JobError", "SELECT 1 UNION ALL SELECT 1, 2"),
    "subquery in a lambda": ("JobError", "SELECT transform(array(1), x -> x + (SELECT 1))"),
    "unbound parameter": ("JobError", "SELECT :ds"),
    "recursion without end": (
        "JobError",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
    ),
}
CALLS: dict[str, tuple[str | None, Provoke]] = {}


def call(name: str, error: str | None) -> Callable[[Provoke], Provoke]:
    """Enter a function that provokes; ``error`` is None where no rule knows it."""

    def enter(provoke: Provoke) -> Provoke:
        CALLS[name] = (error, provoke)
        return provoke

    return enter


@call("missing path", "JobError")
def missing_path(spark: SparkSession, folder: Path) -> None:
    spark.read.parquet(f"{folder}/nothing")


@call("output exists", "JobError")
def output_exists(spark: SparkSession, folder: Path) -> None:
    for _ in range(2):
        spark.range(1).write.parquet(f"{folder}/twice")


@call("output not writable", "SpecError")
def output_not_writable(spark: SparkSession, folder: Path) -> None:
    spark.range(1).write.parquet("/proc/tidegate/out")


@call("table exists", "JobError")
def table_exists(spark: SparkSession, folder: Path) -> None:
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.provoked")
    for _ in range(2):
        spark.sql("CREATE TABLE lake.provoked.twice (id INT) USING iceberg")


@call("parquet type mismatch", "DataError")
def parquet_type_mismatch(spark: SparkSession, folder: Path) -> None:
    spark.range(3).write.parquet(f"{folder}/longs")
    spark.read.schema("id DATE").parquet(f"{folder}/longs").collect()


def parts_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*"))


@call("truncated parquet", "DataError")
def truncated_parquet(spark: SparkSession, folder: Path) -> None:
    spark.range(3).coalesce(1).write.parquet(f"{folder}/cut")
    frame = spark.read.parquet(f"{folder}/cut")
    (part,) = parts_of(folder / "cut")
    part.write_bytes(part.read_bytes()[:-8])
    (part.parent / f".{part.name}.crc").unlink()
    frame.collect()


@call("checksum mismatch", "DataError")
def checksum_mismatch(spark: SparkSession, folder: Path) -> None:
    spark.range(3).coalesce(1).write.csv(f"{folder}/flipped")
    (part,) = parts_of(folder / "flipped")
    part.write_bytes(b"9" + part.read_bytes()[1:])
    spark.read.csv(f"{folder}/flipped").collect()


@call("file removed", "DataError")
def file_removed(spark: SparkSession, folder: Path) -> None:
    spark.range(3).write.parquet(f"{folder}/gone")
    frame = spark.read.parquet(f"{folder}/gone")
    shutil.rmtree(folder / "gone")
    frame.collect()


@call("malformed CSV", "DataError")
def malformed_csv(spark: SparkSession, folder: Path) -> None:
    (folder / "flights.csv").write_text("id\n1\nseven\n")
    reader = spark.read.options(header="true", mode="FAILFAST").schema("id INT")
    reader.csv(f"{folder}/flights.csv").collect()


@call("malformed JSON", "DataError")
def malformed_json(spark: SparkSession, folder: Path) -> None:
    (folder / "flights.json").write_text('{"id": 1}\n{"id": \n')
    spark.read.schema("id INT").option("mode", "FAILFAST").json(f"{folder}/flights.json").collect()


@call("null for an assembler", "DataError")
def null_for_an_assembler(spark: SparkSession, folder: Path) -> None:
    frame = spark.sql("SELECT CAST(null AS DOUBLE) AS x")
    VectorAssembler(inputCols=["x"], outputCol="features").transform(frame).collect()


@call("no features", "JobError")
def no_features(spark: SparkSession, folder: Path) -> None:
    KMeans(k=2).fit(spark.range(3))


@call("UDF raises", None)
def udf_raises(spark: SparkSession, folder: Path) -> None:
    spark.range(1).select(F.udf(lambda value: {}[value], "int")("id")).collect()


@call("Python worker killed", "ResourceExhausted")
def worker_killed(spark: SparkSession, folder: Path) -> None:
    suicide = F.udf(lambda _: os.kill(os.getpid(), signal.SIGKILL), "int")
    spark.range(1).select(suicide("id")).collect()


@call("no Python", None)
def no_python(spark: SparkSession, folder: Path) -> None:
    context = spark.sparkContext
    python, context.pythonExec = context.pythonExec, "no-such-python"
    try:
        spark.range(1).select(F.udf(lambda value: value, "long")("id")).collect()
    finally:
        context.pythonExec = python


@call("Python assert", None)
def python_assert(spark: SparkSession, folder: Path) -> None:
    raise AssertionError("no flights today")


@call("result too large", "ResourceExhausted")
def result_too_large(spark: SparkSession, folder: Path) -> None:
    conf = spark.sparkContext._jsc.sc().conf()
    conf.set("spark.driver.maxResultSize", "1k")
    try:
        spark.range(100_000).collect()
    finally:
        conf.remove("spark.driver.maxResultSize")


@call("driver heap", "ResourceExhausted")
def driver_heap(spark: SparkSession, folder: Path) -> None:
    spark.sparkContext._jvm.java.nio.ByteBuffer.allocate(2**31 - 1)


@call("no S3 jar", None)
def no_s3_jar(spark: SparkSession, folder: Path) -> None:
    spark.read.csv("s3a://bucket/flights.csv")


@call("JDBC refused", "ClusterUnavailable")
def jdbc_refused(spark: SparkSession, folder: Path) -> None:
    where = {"url": "jdbc:hive2://127.0.0.1:1/x", "driver": "org.apache.hive.jdbc.HiveDriver"}
    spark.read.format("jdbc").options(dbtable="flights", **where).load()


@call("no JDBC driver", None)
def no_jdbc_driver(spark: SparkSession, folder: Path) -> None:
    spark.read.format("jdbc").options(url="jdbc:oracle:thin:@127.0.0.1:1/x", dbtable="x").load()


@call("unknown host", "ClusterUnavailable")
def unknown_host(spark: SparkSession, folder: Path) -> None:
    spark.read.csv("hdfs://nowhere.invalid:8020/flights.csv")


@call("storage refused", "ClusterUnavailable")
def storage_refused(spark: SparkSession, folder: Path) -> None:
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set("ipc.client.connect.max.retries", "0")
    spark.read.csv("hdfs://127.0.0.1:1/flights.csv")


@call("socket refused", "ClusterUnavailable")
def socket_refused(spark: SparkSession, folder: Path) -> None:
    lines = spark.readStream.format("socket").options(host="127.0.0.1", port="1").load()
    query = lines.writeStream.format("noop").option("checkpointLocation", f"{folder}/seen").start()
    query.awaitTermination()


def provoke(name: str, spark: SparkSession, folder: Path) -> Exception:
    """Provoke one failure and return what was raised."""
    try:
        if name in SQL:
            spark.sql(SQL[name][1]).collect()
        else:
            CALLS[name][1](spark, folder)
    except Exception as raised:
        return raised
    raise LookupError(f"{name}: nothing was raised")


ERRORS: dict[str, str | None] = {name: error for name, (error, _) in (SQL | CALLS).items()}
"""Every failure, with the class that its reader needs; None: no rule knows it."""
