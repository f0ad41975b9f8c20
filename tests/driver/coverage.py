"""Which witness answers each expectation, and in how many Spark jobs: measured, not claimed.

``python -m tests.driver.coverage`` writes docs/gate-coverage.md; a test holds it to what is so.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from tests.driver.local_spark import jobs_started, local_session
from tests.driver.test_gate_equality import FRAMES, ONE_PASS, SCHEMA, STAGED_TOO, Config, suite_of

from tidegate.driver.gate import open_gate
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.jvm import current_snapshot
from tidegate.driver.targets.table.file_facts import facts_of_live

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "gate-coverage.md"
HEAD = """# Which witness answers what

Made by `python -m tests.driver.coverage`, and held to what is so by
`tests/driver/test_coverage.py`. Each expectation alone, on an Iceberg table of 60 good rows and of
67 of which some are bad: the witness that answers it on good data, and the Spark jobs that judging
it starts on either. In a suite the one query is shared by all, and so is the look for examples: the
jobs do not add up. Arguments are shortened; `…` stands for a row condition.

| expectation | arguments | witness | jobs, good | jobs, bad |
|---|---|---|---|---|
"""
EXPECTATIONS = (*ONE_PASS, *STAGED_TOO)
_LONGEST = 60


def rows(spark: SparkSession, asked: Iterable[Config] = EXPECTATIONS) -> Iterator[str]:
    """Yield a line for each expectation."""
    good = _table(spark, "good")
    bad = _table(spark, "bad")
    for config in asked:
        with_facts = _jobs(spark, config, *good)
        without = _jobs(spark, config, good[0], None)
        witness = _witness(with_facts, without)
        jobs = f"{with_facts} | {_jobs(spark, config, *bad)}"
        yield f"{named(config)} {witness} | {jobs} |"


def named(config: Config) -> str:
    """Return what the line of an expectation begins with: its name, its arguments."""
    name = config["type"].removeprefix("expect_")
    return f"| {name} | {_arguments(config['kwargs'])} |"


def _witness(with_facts: int, without: int) -> str:
    if not without:
        return "schema"
    if not with_facts:
        return "metadata"
    if with_facts == 1:
        return "one query"
    return "Great Expectations' own code, or the key columns"


def _arguments(kwargs: Config) -> str:
    shown = {key: value for key, value in kwargs.items() if key != "condition_parser"}
    if "row_condition" in shown:
        shown["row_condition"] = "…"
    told = ", ".join(f"{key}={json.dumps(value)}" for key, value in shown.items())
    told = told.replace("|", "\\|").replace("\\u2026", "…")
    return f"`{told}`" if len(told) <= _LONGEST else f"`{told[: _LONGEST - 1]}…`"


def _table(spark: SparkSession, name: str) -> tuple[DataFrame, FileFacts | None]:
    table = f"lake.coverage.{name}"
    frame = spark.createDataFrame(FRAMES[name], SCHEMA).coalesce(1)
    frame.writeTo(table).using("iceberg").createOrReplace()
    snapshot = current_snapshot(spark, table)
    assert snapshot is not None
    return spark.table(table), facts_of_live(spark, table, snapshot)


def _jobs(spark: SparkSession, config: Config, frame: DataFrame, facts: FileFacts | None) -> int:
    gate = open_gate(spark, suite_of(config), {})
    before = jobs_started(spark)
    gate.judge(frame, facts)
    return jobs_started(spark) - before


def document(spark: SparkSession) -> str:
    """Return the whole document."""
    return HEAD + "\n".join(rows(spark)) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        spark = local_session(Path(folder))
        DOCUMENT.write_text(document(spark), encoding="utf-8")
        spark.stop()


if __name__ == "__main__":
    main()
