"""Every job of the documents runs on a few rows, every suite opens as a gate, every SQL runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.documents import Block, in_language, placed, suite_of
from tests.driver.nights import unobserved

from tidegate.contract import Suite
from tidegate.driver.gate import open_gate
from tidegate.driver.kinds import sql
from tidegate.driver.kinds.job import call_by_name, load_run
from tidegate.driver.kinds.train import produce as train

DAY = "2013-02-08"
COLUMNS = (
    "ds STRING, origin STRING, carrier STRING, hour INT, distance INT, dep_delay INT, "
    "arr_delay INT, cancelled BOOLEAN"
)
ROWS = [
    (DAY, "EWR", "UA", 5, 719, 20, 30, False),
    (DAY, "EWR", "UA", 17, 200, -5, -10, False),
    (DAY, "JFK", "B6", 17, 1089, 45, 50, False),
    (DAY, "LGA", "AA", 6, 733, None, None, True),
]
"""Flights, with every column that a document's job names."""
JOBS = [block for block in in_language("python") if block.is_job]
TESTS = [block for block in in_language("python") if block.is_test]
EXPECTATIONS = [block for block in in_language("python") if block.is_expectation]
SQL = in_language("sql")
HELD = [block for block in SQL if "VERSION AS OF" in block.text]
QUERIES = [block for block in SQL if not block.text.startswith("CALL") and block not in HELD]
CALLS = [block for block in SQL if block.text.startswith("CALL")]


@pytest.fixture
def flights(spark: SparkSession) -> DataFrame:
    return unobserved(spark).createDataFrame(ROWS, COLUMNS)


@pytest.mark.parametrize("block", placed(JOBS))
def test_a_job_runs_on_a_few_rows(block: Block, flights: DataFrame, tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(block.text)
    run = load_run(str(job))
    offered = {"flights": flights, "spark": flights.sparkSession, "params": {"ds": DAY}}
    if run.__annotations__["return"] is DataFrame:
        returned = call_by_name(run, offered)
        assert isinstance(returned, DataFrame)
        assert returned.count() > 0
    else:
        assert train(run, offered).metrics


@pytest.mark.parametrize("block", placed(TESTS))
def test_a_test_of_a_job_passes_beside_the_job_of_its_page(
    block: Block, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = [each for each in JOBS if each.file == block.file]
    (path,) = re.findall(r'run_path\("(.+?)"\)', block.text)
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(job.text)
    monkeypatch.chdir(tmp_path)
    defined: dict[str, Any] = {"__name__": "test_job"}
    exec(block.compiled(), defined)
    for name in re.findall(r"^def (test_\w+)", block.text, re.M):
        defined[name]()


@pytest.mark.parametrize("block", placed(EXPECTATIONS))
def test_an_expectation_of_ones_own_is_asked(block: Block, spark: SparkSession) -> None:
    exec(block.compiled(), {"__name__": "rules"})
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", re.findall(r"class (Expect\w+)", block.text)[0]).lower()
    rule = {"type": name, "kwargs": {"column": "id"}}
    gate = open_gate(spark, Suite(name="own", document={"name": "own", "expectations": [rule]}), {})
    assert gate.judge(spark.range(0, 10, 2).toDF("id")).verdict == "pass"
    assert gate.judge(spark.range(4).toDF("id")).verdict == "closed"


@pytest.mark.parametrize("block", placed(QUERIES))
def test_a_sql_job_runs_on_a_few_rows(block: Block, flights: DataFrame, tmp_path: Path) -> None:
    job = tmp_path / "job.sql"
    job.write_text(block.text)
    flights.createOrReplaceTempView("flights")
    assert sql.produce(flights.sparkSession, job, {"ds": DAY}).count() > 0


@pytest.mark.parametrize("block", placed(HELD))
def test_a_held_branch_is_a_version(block: Block, spark: SparkSession, flights: DataFrame) -> None:
    (branch,) = re.findall(r"VERSION AS OF '(\w+)'", block.text)
    flights.where("false").writeTo("lake.flights.clean").using("iceberg").create()
    spark.sql(f"ALTER TABLE lake.flights.clean CREATE BRANCH {branch}")
    flights.writeTo(f"lake.flights.clean.branch_{branch}").append()
    shown = spark.sql(block.text).count()
    published = spark.table("lake.flights.clean").count()
    spark.sql("DROP TABLE lake.flights.clean PURGE")
    assert (shown, published) == (len(ROWS), 0)


@pytest.mark.parametrize("block", placed(CALLS))
def test_a_procedure_runs_on_a_table(block: Block, spark: SparkSession, flights: DataFrame) -> None:
    flights.writeTo("lake.flights.clean").using("iceberg").create()
    for statement in sql.statements(block.text):
        spark.sql(statement)
    assert spark.table("lake.flights.clean").count() == len(ROWS)
    spark.sql("DROP TABLE lake.flights.clean PURGE")


@pytest.mark.parametrize("block", placed(in_language("json")))
def test_a_suite_opens_as_a_gate(block: Block, spark: SparkSession) -> None:
    assert open_gate(spark, Suite(name="snippet", document=suite_of(block)), {})
