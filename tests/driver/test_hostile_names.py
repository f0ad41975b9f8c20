"""Names that come from data: published exactly as they are, and never run as configuration."""

import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType
from specs import PASS, Verdict, spec
from test_stage import Bench
from tests.thinned import thinned

from tidegate.contract import Output, StageSpec
from tidegate.driver.__main__ import FAILED
from tidegate.driver.jvm import current_snapshot
from tidegate.driver.targets.settle import settle
from tidegate.driver.targets.table import TableTarget
from tidegate.errors import SpecError

SECRET = "planted-7f3a91c4d2"
# When tests are collected: the JVM that starts later inherits it.
os.environ["TIDEGATE_PLANTED"] = SECRET

SUBSTITUTED = [
    "${env:TIDEGATE_PLANTED}",
    "${env:HOME}",
    "${system:user.home}",
    "${spark.app.name}",
    "${spark:spark.app.name}",
    "${hivevar:x}",
    "${hiveconf:spark.app.name}",
    "x${env:HOME}y",
]
NAMES = [
    *SUBSTITUTED,
    "$",
    "it's",
    'say "hi"',
    "back`tick",
    "`",
    "a.b",
    "a.b.c",
    ".",
    "line\nbreak",
    "carriage\r\nreturn",
    "tab\t",
    "🌊",
    "ü",
    "1st",
    "12",
    "two words",
    " lead",
    "x" * 100,
    "select",
    "order",
    "table",
    "a;b",
    "--",
    "/*x*/",
    "a,b) USING parquet --",
    "a=b",
    "a/b",
    "..%2F",
    "\\",
    "\\n",
    "{}",
    "%s",
    "?",
    ":ds",
    "main",
]

_tables = (f"lake.names.t{number}" for number in count())


@pytest.fixture
def table() -> str:
    return next(_tables)


def publish(spark: SparkSession, at: StageSpec, data: DataFrame) -> Output:
    begun = TableTarget(spark, at, str(at.attempt)).begin()
    assert not isinstance(begun, Output)
    return settle(begun, data, Verdict(PASS)).output


def frame(spark: SparkSession, *names: str) -> DataFrame:
    """Return one row: a number, and a column of text by each name, that holds its name."""
    fields = [StructField(name, StringType()) for name in names]
    return spark.createDataFrame(
        [(1, *names)], StructType([StructField("id", LongType()), *fields])
    )


def rows(spark: SparkSession, table: str) -> list[Row]:
    spark.catalog.refreshTable(table)
    return spark.table(table).collect()


def test_a_new_tables_columns_are_those_of_the_frame(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table), frame(spark, *NAMES))
    (row,) = rows(spark, table)
    assert row.__fields__ == ["id", *NAMES]
    assert tuple(row) == (1, *NAMES)


def test_an_added_column_is_named_as_in_the_frame(spark: SparkSession, table: str) -> None:
    publish(spark, spec(table), frame(spark))
    publish(spark, spec(table, run_id="r2"), frame(spark, *NAMES))
    (row,) = rows(spark, table)
    assert row.__fields__ == ["id", *NAMES]
    assert tuple(row) == (1, *NAMES)


def test_a_nested_field_is_named_as_in_the_frame(spark: SparkSession, table: str) -> None:
    fields = StructType([StructField(name, StringType()) for name in NAMES])
    schema = StructType([StructField("nested", fields)])
    publish(spark, spec(table), spark.createDataFrame([(tuple(NAMES),)], schema))
    (row,) = rows(spark, table)
    assert row.nested.__fields__ == NAMES
    assert tuple(row.nested) == tuple(NAMES)


@pytest.mark.parametrize("name", thinned(NAMES, 14))
def test_a_partition_is_named_as_in_the_stage(spark: SparkSession, table: str, name: str) -> None:
    publish(spark, spec(table, partition={name: name}), frame(spark))
    publish(spark, spec(table, partition={name: "other"}, run_id="r2"), frame(spark))
    # A job that has the column itself, and a filter instead of a dynamic overwrite: no rows.
    publish(spark, spec(table, partition={name: name}, run_id="r3"), frame(spark, name).limit(0))
    (row,) = rows(spark, table)
    assert row.__fields__ == ["id", name]
    assert tuple(row) == (1, "other")


def test_partitions_keep_their_order_and_columns_may_be_null(
    spark: SparkSession, table: str
) -> None:
    by = {"z": "1", "order": "2", "a.b": "3"}
    publish(spark, spec(table, partition=by), spark.range(2))
    assert [row.partition.asDict() for row in spark.table(f"{table}.partitions").collect()] == [by]
    assert all(field.nullable for field in spark.table(table).schema.fields)


def test_a_table_whose_publish_fails_has_no_snapshot_and_one_owner(
    spark: SparkSession, table: str
) -> None:
    begun = TableTarget(spark, spec(table), "f")
    begun.create(frame(spark))
    begun.create(frame(spark))  # of attempts that begin together one creates it
    assert current_snapshot(spark, table) is None
    spark.sql(f"CREATE TABLE {table}_sql (id BIGINT) USING iceberg")

    def told(name: str) -> dict[str, str]:
        found = spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
        return {row.col_name: row.data_type for row in found}

    ours, sparks = told(table), told(f"{table}_sql")
    for key in ("Provider", "Owner", "Table Properties", "Type", "id"):
        assert ours[key] == sparks[key], key


TOO_LONG = [{"ds": "v" * 300}, {"c" * 300: "v"}, {"ds": "ü" * 60}]


@pytest.mark.parametrize("partition", TOO_LONG, ids=["value", "column", "escaped"])
def test_a_partition_that_makes_no_folders_name_is_refused_before_anything_is_written(
    spark: SparkSession, table: str, partition: dict[str, str]
) -> None:
    with pytest.raises(SpecError, match="255 bytes"):
        publish(spark, spec(table, partition=partition), frame(spark))
    assert not spark.catalog.tableExists(table)


@pytest.mark.parametrize("writes", ["lake.select.order", "lake.table.group", "lake.a1.where_"])
def test_a_reserved_word_names_a_table(spark: SparkSession, writes: str) -> None:
    publish(spark, spec(writes), frame(spark))
    publish(spark, spec(writes, run_id="r2"), frame(spark, "new"))
    assert spark.read.table(writes).columns == ["id", "new"]


# --- through a whole stage ---------------------------------------------------------------------


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> Bench:
    return Bench(spark, tmp_path)


PASS_ON = "def run(orders):\n    return orders\n"
ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}


def left_behind(bench: Bench) -> list[Any]:
    """Return every file of the stage and of its table's metadata that holds the secret."""
    lake = Path(bench.spark.conf.get("spark.sql.catalog.lake.warehouse") or "")
    files = [*bench.folder.rglob("*"), *lake.rglob("*.json")]
    return [file for file in files if file.is_file() and SECRET.encode() in file.read_bytes()]


def test_a_csv_header_is_a_name_and_no_configuration(bench: Bench) -> None:
    header = ["${env:TIDEGATE_PLANTED}", "${system:user.home}", "a.b", "it's", "back`tick", "🌊"]
    bench.file("orders.csv", "id," + ",".join(header) + "\n1," + ",".join("abcdef") + "\n")
    code, report = bench.run(PASS_ON, expectations=[ROWS])
    assert (code, report.failure) == (0, None)
    assert bench.spark.table(bench.table).columns == ["id", *header]
    assert bench.rows() == [("1", *"abcdef")]
    assert left_behind(bench) == []


def test_a_column_that_comes_later_is_a_name_too(bench: Bench) -> None:
    bench.run(PASS_ON)
    bench.file("orders.csv", "id,v,${env:TIDEGATE_PLANTED}\n1,2,3\n")
    assert bench.run(PASS_ON, run_id="r2")[0] == 0
    assert bench.spark.table(bench.table).columns == ["id", "v", "${env:TIDEGATE_PLANTED}"]
    assert left_behind(bench) == []


SUBSTITUTES = [
    "SELECT '${env:TIDEGATE_PLANTED}' AS v",
    "SELECT '${system:user.home}' AS v",
    "CREATE TEMPORARY VIEW spilt AS SELECT '${env:TIDEGATE_PLANTED}' AS v; SELECT * FROM spilt",
]


@pytest.mark.parametrize("job", SUBSTITUTES)
@pytest.mark.parametrize("conf", [{}, {"spark.sql.variable.substitute": "true"}])
def test_a_sql_job_reads_no_environment(bench: Bench, job: str, conf: dict[str, str]) -> None:
    assert bench.run(job, kind="sql", conf=conf)[0] == 0
    ((value,),) = bench.rows()
    assert value.startswith("${")
    bench.spark.catalog.dropTempView("spilt")


def test_a_sql_job_cannot_turn_substitution_on(bench: Bench) -> None:
    code, report = bench.run(
        "SET spark.sql.variable.substitute=true; SELECT '${env:TIDEGATE_PLANTED}' AS v", kind="sql"
    )
    assert code == FAILED
    assert "spark.sql.variable.substitute" in str(report.failure)
    assert not bench.exists()


def test_a_param_and_a_partition_are_values(bench: Bench) -> None:
    told = "${env:TIDEGATE_PLANTED}"
    code, _ = bench.run(
        "SELECT :told AS v", kind="sql", params={"told": told}, partition={"day": told}
    )
    assert code == 0
    assert bench.rows() == [(told, told)]
    assert left_behind(bench) == []
