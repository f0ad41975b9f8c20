"""A table, the stage that writes it, and what its readers see: the ground of one seed."""

import subprocess
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from tests.driver.specs import spec

from tidegate.contract import Report, Suite, digest
from tidegate.driver.__main__ import run
from tidegate.driver.jvm import iceberg_table
from tidegate.store import REPORT, AttemptFiles

DAY, OTHER = "2013-01-02", "2013-01-03"
OURS = 1000
"""The first id that the stage writes; its rows are told by it from everybody else's."""
JOB = """
def run(spark, params):
    some = spark.range(params["first"], params["first"] + params["rows"], 1, 2)
    return some.selectExpr("id", "id * 2 AS v", f"'{params['ds']}' AS ds")
"""
ROW_COUNT = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
MEDIAN = {
    "type": "expect_column_median_to_be_between",
    "kwargs": {"column": "id", "min_value": OURS},
}  # read back from what is staged: no observation gives it
SHAPES: dict[str, dict[str, Any]] = {
    "partition": {"partition": {"ds": DAY}},
    "table": {},
    "append": {"mode": "append"},
}
Rows = Counter[tuple[int, str]]
_numbers = count()


class Ground:
    """One table in one of three shapes, with a history of two commits that are not the stage's."""

    def __init__(self, spark: SparkSession, folder: Path, rng: Random, catalog: str) -> None:
        self.spark, self.rng, self.folder = spark, rng, folder / f"ground{next(_numbers)}"
        self.folder.mkdir(parents=True)
        self.catalog, self.short = catalog, f"chaos.t{next(_numbers)}"
        self.name = f"{catalog}.{self.short}"
        self.shape = rng.choice(sorted(SHAPES))
        self.rows_of_ours = rng.randint(1, 9)
        suite = rng.choice(([ROW_COUNT], [ROW_COUNT, MEDIAN]))
        job = self.folder / "job.py"
        job.write_text(JOB)
        self._spec = spec(
            self.name,
            run_id="night",
            job=str(job),
            job_sha256=digest(job.read_bytes()),
            suite=Suite(name="s", document={"name": "s", "expectations": suite}),
            params={"first": OURS, "rows": self.rows_of_ours, "ds": DAY},
            **SHAPES[self.shape],
        )
        self.partitioned = self.shape == "partition" or rng.random() < 0.5
        self.make()

    def make(self) -> None:
        """Create the table, and let somebody else write three days to it, twice."""
        by = "PARTITIONED BY (ds)" if self.partitioned else ""
        self.sql(f"CREATE NAMESPACE IF NOT EXISTS {self.catalog}.chaos")
        self.sql(f"CREATE TABLE {self.name} (id BIGINT, v BIGINT, ds STRING) USING iceberg {by}")
        for commit in range(2):
            self.add(*((commit * 10 + day, f"2013-01-0{day}") for day in (1, 2, 3)))

    def sql(self, statement: str) -> list[Any]:
        return self.spark.sql(statement).collect()

    def add(self, *rows: tuple[int, str]) -> None:
        """Append rows as a stranger to the stage does."""
        values = ", ".join(f"({number}, 0, '{ds}')" for number, ds in rows)
        columns = self.spark.table(self.name).columns[:3]
        self.sql(f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES {values}")

    def exists(self) -> bool:
        return bool(self.spark.catalog.tableExists(self.name))

    def rows(self) -> Rows:
        """Return what readers see: every row by its id and day, and how often."""
        if not self.exists():
            return Counter()
        self.spark.catalog.refreshTable(self.name)
        seen = self.sql(f"SELECT id, ds FROM {self.name}")
        return Counter((row.id, row.ds) for row in seen)

    def with_ours(self, rows: Rows) -> Rows:
        """Return what readers see once the stage's output is published onto ``rows``."""
        ours: Rows = Counter((OURS + n, DAY) for n in range(self.rows_of_ours))
        if self.shape == "append":
            return rows + ours
        if self.shape == "table":
            return ours
        return Counter({row: n for row, n in rows.items() if row[1] != DAY}) + ours

    def in_our_way(self, before: Rows, after: Rows) -> bool:
        """Tell whether a stranger's change is to rows that the stage replaces."""
        if self.shape == "append":
            return False
        changed = (before - after) + (after - before)
        return any(self.shape == "table" or ds == DAY for _, ds in changed)

    def attempt(self, number: int, submitted_ms: int) -> Report:
        """Run one try of the stage, whole, as the driver does."""
        folder = str(self.folder / f"try={number}")
        AttemptFiles(folder).create()
        tried = replace(self._spec.attempt, try_number=number, submitted_ms=submitted_ms)
        at = replace(self._spec, attempt=tried, folder=folder)
        run(at)
        return Report.from_json(AttemptFiles(folder).read(REPORT))

    def refs(self) -> set[str]:
        return {row.name for row in self.sql(f"SELECT name FROM {self.name}.refs")}

    def staged(self, token: bool) -> list[str]:
        """Return the attempts' data branches, or their tokens."""
        names = sorted(self.refs() - {"main"}) if self.exists() else []
        return [name for name in names if name.endswith("_token") == token]

    def head(self) -> dict[str, str]:
        """Return the summary of the snapshot that readers see."""
        try:
            snapshot = iceberg_table(self.spark, self.name).currentSnapshot()
        except (Py4JJavaError, AnalysisException):  # no table
            return {}
        return dict(snapshot.summary()) if snapshot else {}

    def leftovers(self) -> list[str]:
        """Return what no attempt may leave: sidecars, and half-written files of its own."""
        space, _, short = self.short.partition(".")
        tables = self.sql(f"SHOW TABLES IN {self.catalog}.{space}")
        sidecars = [row.tableName for row in tables if row.tableName.startswith(f"{short}__")]
        return sidecars + [str(file) for file in self.folder.rglob(".*")]

    def age(self, warehouse: Path) -> None:
        """Have every file of the table look three days old, as an attempt that hung has them."""
        folder = warehouse.joinpath(*self.short.split("."))
        # Not checked: the table is at work, and a file may go while it is looked at.
        subprocess.run(
            ["find", folder, "-exec", "touch", "-d", "3 days ago", "{}", "+"], check=False
        )
