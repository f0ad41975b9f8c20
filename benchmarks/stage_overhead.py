"""What the frame around a job costs: a stage over an empty gate, against a bare spark-submit."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

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


def stage(folder: Path, number: int) -> dict[str, float]:
    """Run the job as a stage, exactly as the operator does; return the driver's seconds by step."""
    from tidegate.contract import Attempt, StageSpec, Suite, digest, parse_read
    from tidegate.operators.run import StageRun
    from tidegate.store import Store

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
        suite=Suite(name="none", document={"expectations": []}),
        params={},
        folder=store.files(attempt).uri,
        job=str(job),
        job_sha256=digest(job.read_bytes()),
        writes="lake.bench.staged",
    )
    return dict(StageRun(spec, folder, store, {}, lambda text: None).run().steps)


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
    bares, stages, steps = [], [], []
    for number in range(REPEATS + 1):
        began = time.monotonic()
        bare(folder)
        between = time.monotonic()
        steps.append(stage(folder, number))
        bares.append(between - began)
        stages.append(time.monotonic() - between)
    plain, whole = median(bares[1:]), median(stages[1:])
    rows = [
        {"what": "bare spark-submit", "wall s": plain, "over bare s": 0.0},
        {"what": "stage, empty gate", "wall s": whole, "over bare s": whole - plain},
    ]
    inside = ", ".join(f"{name} {median(s[name] for s in steps[1:]):.2f}" for name in steps[-1])
    show("stage_overhead", rows, [f"inside the driver, seconds by step: {inside}"])
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
