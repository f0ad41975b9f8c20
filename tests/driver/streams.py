"""A stream of files on a bench: land, run attempts, look at main."""

import json
import os
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from pyspark.sql import SparkSession
from specs import spec

from tidegate.contract import Report, StageSpec, Stream, Suite, digest, parse_read
from tidegate.driver.__main__ import run
from tidegate.driver.jvm import iceberg_table
from tidegate.driver.jvm.iceberg import metadata_document
from tidegate.driver.targets.mark import NUMBER
from tidegate.driver.targets.provenance import VERDICT
from tidegate.driver.targets.table.metadata import MAIN, Metadata
from tidegate.store import REPORT, AttemptFiles

_tables = (f"lake.streams_{token_hex(3)}.t{number}" for number in count())
SCHEMA = "id INT, v DOUBLE"
POSITIVE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "v", "min_value": 0},
    "severity": "critical",
}
JOB = """
def run(events):
    return events.where("id >= 0")
"""


class StreamBench:
    """One stream, with a folder for its files and a table of its own."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.folder = folder
        self.table = next(_tables)
        self.landing = folder / "landing"
        self.landing.mkdir()
        self._landed = count()

    def land(self, *ids: int, v: float = 1.0) -> None:
        """Land one file, whole at once, as whoever lands files must."""
        number = next(self._landed)
        name = f"{number:04}.json"
        aside = self.landing / f".{name}"
        aside.write_text("".join(json.dumps({"id": each, "v": v}) + "\n" for each in ids))
        # Spark takes files in the order of their times of change: no two have the same.
        changed = 1_700_000_000 + number
        os.utime(aside, (changed, changed))
        aside.rename(self.landing / name)

    def spec(self, job: str = JOB, **overrides: Any) -> StageSpec:
        file = self.folder / "job.py"
        file.write_text(job)
        document = {"name": "s", "expectations": overrides.pop("expectations", [POSITIVE])}
        events = {"path": str(self.landing), "stream": True, "schema": SCHEMA, "format": "json"}
        reads: Mapping[str, Any] = {"events": events, **overrides.pop("reads", {})}
        settings = {
            name: overrides.pop(name)
            for name in ("trigger", "run_for", "max_per_batch", "dead_letters", "compact")
            if name in overrides
        }
        given: dict[str, Any] = {
            "kind": "stream",
            "mode": "append",
            "stream": Stream(**settings),
            "job": str(file),
            "job_sha256": digest(file.read_bytes()),
            "reads": tuple(parse_read(name, value) for name, value in reads.items()),
            "suite": Suite(name="s", document=document),
            "folder": str(self.folder),
        }
        return spec(self.table, **{**given, **overrides})

    def run(self, **overrides: Any) -> tuple[int, Report]:
        at = self.spec(**overrides)
        code = run(at)
        return code, Report.from_json(AttemptFiles(at.folder).read(REPORT))

    def ids(self) -> list[int]:
        """Return what readers see."""
        self.spark.catalog.refreshTable(self.table)
        return sorted(row.id for row in self.spark.table(self.table).select("id").collect())

    def metadata(self) -> Metadata:
        table = iceberg_table(self.spark, self.table)
        return Metadata(json.loads(metadata_document(self.spark, table)))

    def numbers(self) -> list[int]:
        """Return the micro-batches on main, in their order, by their judged snapshots."""
        now = self.metadata()
        found = [now.summary(each) for each in now.history(MAIN)]
        judged = [each for each in found if VERDICT in each and NUMBER in each]
        return [int(each[NUMBER]) for each in reversed(judged)]

    def checkpoint(self) -> Path:
        """Return where the checkpoint lies."""
        location = iceberg_table(self.spark, self.table).location()
        (folder,) = [
            each for each in Path(f"{location}__streams").iterdir() if "_" not in each.name
        ]
        return folder

    def lose_checkpoint(self) -> None:
        shutil.rmtree(self.checkpoint())

    def expire(self) -> None:
        """Expire every snapshot but the last, which is somebody else's."""
        self.spark.sql(
            f"CALL lake.system.expire_snapshots(table => '{self.table}', retain_last => 1, "
            "older_than => TIMESTAMP '2100-01-01 00:00:00')"
        )
        assert self.numbers() == []

    def told(self) -> str:
        return (self.folder / "told.jsonl").read_text()
