"""Delta tables read at one version, in a Spark that has Delta's package beside Iceberg's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.driver.local_spark import ICEBERG

pytestmark = pytest.mark.system
DELTA = "io.delta:delta-spark_4.1_2.13:4.1.0"
SCRIPT = """
import json, sys
from pyspark.sql import SparkSession
from tidegate.contract import parse_read
from tidegate.driver.inputs import open_inputs
from tidegate.errors import TidegateError

builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
path = f"file://{sys.argv[2]}/orders x"
spark.range(3).coalesce(1).write.format("delta").save(path)
spark.range(2).coalesce(1).write.format("delta").mode("append").save(path)
spark.range(4).write.format("delta").saveAsTable("orders")
spark.range(5).write.format("parquet").saveAsTable("plain")
delta = {"path": path, "format": "delta"}
reads = {
    "now": delta, "first": {**delta, "version": 0}, "named": "spark_catalog.default.orders",
    "plain": "spark_catalog.default.plain",
}
opened = open_inputs(spark, tuple(parse_read(name, value) for name, value in reads.items()))
spark.range(100).write.format("delta").mode("append").save(path)
told = {each.name: [each.snapshot_id, opened.offered[each.name].count()] for each in opened.inputs}
nope = {**delta, "path": f"file://{sys.argv[2]}/nope"}
for name, read in {"nope": nope, "v9": {**delta, "version": 9}}.items():
    try:
        open_inputs(spark, (parse_read(name, read),))
    except TidegateError as error:
        told[name] = [type(error).__name__, str(error)]
print("told " + json.dumps(told))
"""
CONF = {
    "spark.jars.packages": f"{ICEBERG},{DELTA}",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions,"
    "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


def test_a_delta_table_is_read_at_one_version(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    conf = {**CONF, "spark.sql.warehouse.dir": str(tmp_path / "warehouse")}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(conf), str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("told ")]
    assert lines, done.stderr[-3000:]
    told = json.loads(lines[0].removeprefix("told "))
    assert told["now"] == [1, 5], "what is appended after it was opened is not seen"
    assert told["first"] == [0, 3]
    assert told["named"] == [0, 4]
    assert told["plain"] == [None, 5]
    assert told["nope"][0] == "DataError"
    assert "is not a Delta table" in told["nope"][1]
    assert told["v9"][0] == "DataError"
    assert "version 9" in told["v9"][1]
