"""What the frame around a job costs: a stage over an empty and a real gate, and spark-submit."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.sessions import ROOT
from benchmarks.tables import show

REPEATS = 3
JOB = """from pyspark.sql import DataFrame


def run(orders: DataFrame) -> DataFrame:
    return orders.selectExpr("CAST(id AS BIGINT) AS id", "CAST(amount AS DOUBLE) AS amount")
"""
BARE = """import sys
sys.path.insert(0, "spark_jobs")
from pyspark.sql import SparkSession
from job import run

spark = SparkSession.builder.getOrCreate()
orders = spark.read.csv("orders.csv", header=True)
spark.sql("CREATE TABLE IF NOT EXISTS lake.bench.bare (id BIGINT, amount DOUBLE) USING iceberg")
run(orders).writeTo("lake.bench.bare").overwritePartitions()
spark.stop()
"""


def bare(folder: Path) -> None:
    """Submit the job the way one does without tidegate."""
    with (folder / "bare.log").open("w") as log:
        subprocess.run(
            ["spark-submit", "--master", "local[2]", "bare.py"],
            cwd=folder,
            stdout=log,
            stderr=log,
            check=True,
        )


GATE = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "min_value": 0}},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount", "min_value": 0}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
]


class Nobody:
    """Hears nothing of what a driver tells."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def spark_ui(self, address: str) -> None:
        """Do nothing."""


def stage(
    folder: Path, number: int, gate: Sequence[Any] = (), keep_warm: int = 0
) -> dict[str, float]:
    """Run the job as a stage, exactly as the operator does; return the driver's seconds by step.

    :param keep_warm: seconds that its driver then waits for the next stage.
    """
    from tidegate.contract import Attempt, StageSpec, Suite, digest, parse_read
    from tidegate.operators.run import StageRun
    from tidegate.store import Store
    from tidegate.submit.secrets import part

    os.environ["AIRFLOW__TIDEGATE__KEEP_WARM"] = str(keep_warm)
    job = folder / "spark_jobs" / "job.py"
    attempt = Attempt(
        dag_id="b",
        task_id="b",
        run_id=f"r{number}",
        map_index=-1,
        try_number=1,
        generation=0,
        submitted_ms=int(time.time() * 1000),
    )
    store = Store(str(folder / "reports"))
    spec = StageSpec(
        kind="batch",
        attempt=attempt,
        reads=(parse_read("orders", (folder / "orders.csv").as_uri()),),
        suite=Suite(name="bench", document={"expectations": list(gate)}),
        params={},
        folder=store.files(attempt).uri,
        job=str(job),
        job_sha256=digest(job.read_bytes()),
        writes="lake.bench.staged",
    )
    return dict(StageRun(spec, folder, store, part({}), Nobody()).run().steps)


def main() -> None:
    """Measure both in turn and print the difference."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "SPARK_CONF_DIR": str(ROOT / "conf"),
    }
    (folder / "spark_jobs").mkdir()
    (folder / "spark_jobs" / "job.py").write_text(JOB)
    (folder / "bare.py").write_text(BARE)
    (folder / "orders.csv").write_text(
        "id,amount\n" + "".join(f"{n},{n / 7}\n" for n in range(10_000))
    )
    walls: dict[str, list[float]] = {}
    steps: dict[str, list[dict[str, float]]] = {}
    for number in range(REPEATS + 1):
        ways: dict[str, Callable[[], Any]] = {
            "bare spark-submit": partial(bare, folder),
            "stage, empty gate": partial(stage, folder, 3 * number),
            "stage, gate of 5 rules": partial(stage, folder, 3 * number + 1, GATE),
            # The first round starts its driver, which waits while the others run cold.
            "warm stage, gate of 5 rules": partial(stage, folder, 3 * number + 2, GATE, 120),
        }
        for what, run in ways.items():
            began = time.monotonic()
            inside = run()
            if number:  # the first round warms the disk
                walls.setdefault(what, []).append(time.monotonic() - began)
                steps.setdefault(what, []).append(inside or {})
    plain = median(walls["bare spark-submit"])
    rows = []
    for what, seconds in walls.items():
        wall = median(seconds)
        rows.append({"what": what, "wall s": wall, "over bare s": wall - plain})
    notes = []
    for what, own in steps.items():
        parts = ", ".join(f"{name} {median(s[name] for s in own):.2f}" for name in own[0])
        notes.append(f"{what}: seconds by step: {parts}")
    show("stage_overhead", rows, notes[1:])
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
