"""Seconds of the publish commit at 10⁵, 10⁶ and 10⁷ staged rows: flat, as it moves a pointer."""

import shutil
import tempfile
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks.clock import Clock
from benchmarks.sessions import open_session
from benchmarks.tables import show
from tidegate.contract import Attempt, Output, StageSpec, Suite
from tidegate.driver.gate import OpenGate
from tidegate.driver.targets.settle import settle
from tidegate.driver.targets.table import TableTarget

REPEATS = 5


def main() -> None:
    """Stage and publish each size, and time the publish alone."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    spark = open_session(folder)
    rows = []
    for count in (100_000, 100_000, 1_000_000, 10_000_000):  # the first warms up and is not shown
        seconds, writes = [], []
        for number in range(REPEATS):
            attempt = Attempt(
                dag_id="b",
                task_id="b",
                run_id=f"r{number}",
                map_index=-1,
                try_number=1,
                generation=0,
                submitted_ms=number,
            )
            suite = Suite(name="none", document={"expectations": []})
            spec = StageSpec(
                kind="batch",
                attempt=attempt,
                reads=(),
                suite=suite,
                params={},
                folder="",
                writes=f"lake.bench.t{count}",
            )
            target = TableTarget(spark, spec, f"{count}-{number}-{monotonic()}")
            data = spark.range(count).selectExpr(
                "id", "id % 7 AS a", "CAST(id AS STRING) AS b", "rand(1) AS c"
            )
            begun = target.begin()
            assert not isinstance(begun, Output)
            clock = Clock()
            settle(begun, data, OpenGate(spark, spec.suite), clock)
            writes.append(clock.steps["write"])
            seconds.append(clock.steps["publish"])
        spark.sql(f"DROP TABLE lake.bench.t{count} PURGE")
        rows.append({"rows": count, "write s": median(writes), "publish s": median(seconds)})
    flat = rows[-1]["publish s"] / rows[1]["publish s"]
    show("publish_cost", rows[1:], [f"publish at 10^7 rows / at 10^5 rows: {flat:.2f}"])
    spark.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
