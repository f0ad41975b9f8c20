"""Single nights of the example, landed and read as its DAG does."""

import ast
from collections.abc import Iterable
from pathlib import Path

from demo.land import WHOLE, by_day, rows, write
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract.feeds import ABOUT
from tidegate.driver.inputs.letters import BAD, PARSED, parsed

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "spark_jobs"


def land(folder: Path, *days: str) -> Path:
    """Land the flights and weather of a few days, and the files that have no day."""
    for name in ("flights", "weather"):
        tables = by_day(name)
        for day in days:
            write(folder / name / f"{day}.csv", tables[day])
    for name in WHOLE:
        write(folder / f"{name}.csv", list(rows(name)))
    return folder


def read_csv(spark: SparkSession, file: Path, schema: str | None = None) -> DataFrame:
    """Read a landed file as a stage does."""
    reader = spark.read.options(header="true", mode="FAILFAST", enforceSchema="false")
    return (reader.schema(schema) if schema else reader).csv(str(file))


def weather_schema() -> str:
    """Return the schema that the DAG gives its weather read."""
    return constant("nightly_flights", "HOURLY")


def constant(dag: str, name: str) -> str:
    """Return a text that a DAG file names, without importing Airflow."""
    tree = ast.parse((ROOT / "dags" / f"{dag}.py").read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return str(ast.literal_eval(values[name]))


def received(spark: SparkSession, values: Iterable[str], schema: str) -> DataFrame:
    """Return messages as a stream's job gets them, and those that do not parse with ``_bad``."""
    rows = [(offset % 3, offset, value.encode()) for offset, value in enumerate(values)]
    raw = spark.createDataFrame(rows, "partition INT, offset BIGINT, value BINARY")
    return parsed(raw, "json", schema).select(
        f"{PARSED}.*", F.struct("partition", "offset", "value").alias(ABOUT), BAD
    )


def run_sql(spark: SparkSession, job: str, **args: str) -> DataFrame:
    """Run a SQL job's statements one by one and return what the last one selects."""
    *earlier, last = [text for text in (JOBS / job).read_text().split(";") if text.strip()]
    for statement in earlier:
        spark.sql(statement, args=args)
    return spark.sql(last, args=args)


def unobserved(spark: SparkSession) -> SparkSession:
    """Return a session of the same Spark that no gate has observed anything in.

    In one that has, Spark 4.1.1 cannot apply a classifier that was just fitted ("Task not
    serializable"): its training summary holds the session, and the session its
    ``ObservationManager``. A stage observes after its job has run.
    """
    return spark.newSession()
