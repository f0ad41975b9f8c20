"""What the frame around a job costs: spark-submit, the Spark provider's operator, our stages.

Each way runs as a task does: in a process of its own that knows Airflow and the DAG's operators.
``first task``: the seconds until Spark runs the first task of the job. ``frame``: those that the
driver did not spend in the steps that touch data.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
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
EVENTS = """
spark.eventLog.enabled   true
spark.eventLog.rolling.enabled  false
spark.eventLog.compress  false
spark.eventLog.dir       {folder}/events
"""
GATE = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "min_value": 0}},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount", "min_value": 0}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
]
NOT_DATA = ("session", "load")
"""The steps of a driver that touch no data."""


class Nobody:
    """Hears nothing of what a driver tells."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def spark_ui(self, address: str) -> None:
        """Do nothing."""


@contextmanager
def project() -> Iterator[Path]:
    """Give a project of one job, as Airflow's environment knows it, and clear it away."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    for name in ("spark_jobs", "events", "conf"):
        (folder / name).mkdir()
    defaults = (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
    conf = defaults + EVENTS.format(folder=folder)
    (folder / "conf" / "spark-defaults.conf").write_text(conf, encoding="utf-8")
    (folder / "spark_jobs" / "job.py").write_text(JOB, encoding="utf-8")
    (folder / "bare.py").write_text(BARE, encoding="utf-8")
    rows = "".join(f"{n},{n / 7}\n" for n in range(10_000))
    (folder / "orders.csv").write_text(f"id,amount\n{rows}", encoding="utf-8")
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "SPARK_CONF_DIR": str(folder / "conf"),
    }
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bare(folder: Path) -> None:
    """Submit the job the way one does without Airflow."""
    with (folder / "bare.log").open("w") as log:
        subprocess.run(
            ["spark-submit", "--master", "local[2]", "bare.py"],
            cwd=folder,
            stdout=log,
            stderr=log,
            check=True,
        )


def stock(folder: Path) -> None:
    """Submit the job by the Spark provider's own operator."""
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    os.chdir(folder)
    SparkSubmitOperator(task_id="bare", application=str(folder / "bare.py")).execute({})


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
    os.environ["AIRFLOW__TIDEGATE__WARM_DRIVERS"] = "1"
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


def apart(work: Callable[[], Any]) -> Any:
    """Run something as a worker runs a task: in a fork, which imports what is missing."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as worker:
        return worker.submit(work).result()


def first_task(folder: Path, since: float) -> float:
    """Return the seconds until Spark launched a task, as its event logs have it."""
    launched = []
    for file in (folder / "events").iterdir():
        for line in file.read_text(encoding="utf-8").splitlines():
            if '"SparkListenerTaskStart"' in line:
                launched.append(json.loads(line)["Task Info"]["Launch Time"] / 1000)
    return min(each for each in launched if each > since) - since


def measure(folder: Path, run: Callable[[], Any]) -> dict[str, Any]:
    """Run one of the ways; return its seconds."""
    since = time.time()
    began = time.monotonic()
    steps = apart(run) or {}
    wall = time.monotonic() - began
    data = sum(seconds for step, seconds in steps.items() if step not in NOT_DATA)
    frame = wall - data if steps else None
    return {"wall": wall, "first": first_task(folder, since), "frame": frame, "steps": steps}


def main() -> None:
    """Measure all in turn and print them side by side."""
    import tidegate.operators  # noqa: F401  # as the DAG file does

    found: dict[str, list[dict[str, Any]]] = {}
    with project() as folder:
        for number in range(REPEATS + 1):
            each = partial(stage, folder)
            ways: dict[str, Callable[[], Any]] = {
                "bare spark-submit": partial(bare, folder),
                "SparkSubmitOperator": partial(stock, folder),
                "stage, empty gate": partial(each, 4 * number),
                "stage, gate of 5 rules": partial(each, 4 * number + 1, GATE),
                # The first round starts its driver, which waits while the others run cold.
                "warm stage, empty gate": partial(each, 4 * number + 2, (), 300),
                "warm stage, gate of 5 rules": partial(each, 4 * number + 3, GATE, 300),
            }
            for what, run in ways.items():
                seconds = measure(folder, run)
                if number:  # the first round warms the disk
                    found.setdefault(what, []).append(seconds)
    rows = []
    notes = []
    plain = median(each["wall"] for each in found["bare spark-submit"])
    for what, runs in found.items():
        wall = median(each["wall"] for each in runs)
        first = median(each["first"] for each in runs)
        row = {"what": what, "first task s": first, "wall s": wall, "over bare s": wall - plain}
        row["frame s"] = "" if runs[0]["frame"] is None else median(e["frame"] for e in runs)
        rows.append(row)
        steps = runs[0]["steps"]
        parts = ", ".join(f"{step} {median(e['steps'][step] for e in runs):.2f}" for step in steps)
        if parts:
            notes.append(f"{what}: seconds by step: {parts}")
    show("stage_overhead", rows, notes)


if __name__ == "__main__":
    main()
