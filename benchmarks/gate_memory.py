"""The driver's memory while it judges rows that are all bad, by every rule: flat, or not.

Each size in a process of its own with a heap of 1 GiB: the whole stage, examples and repeated keys
included. Live is what a forced collection leaves, looked at twice a second while the gate judges.
In ``local`` mode tasks sort and aggregate in the same heap: what Spark's memory manager lends them,
which is bounded by its share of the heap and spills beyond, is told apart.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.tables import show

SIZES = (100_000, 1_000_000, 10_000_000)
HEAP = "1g"


class Live(Thread):
    """Looks at what is live in the JVM while something runs: peaks, in MB.

    :ivar lent: the most that Spark had lent to tasks.
    :ivar rest: the most that was live beside that.
    """

    def __init__(self, context: Any) -> None:
        super().__init__(daemon=True)
        jvm = context._jvm
        self._collect = jvm.java.lang.System.gc
        pools = jvm.java.lang.management.ManagementFactory.getMemoryPoolMXBeans()
        self._pools = [each for each in pools if each.getType().name() == "HEAP"]
        self._spark = jvm.org.apache.spark.SparkEnv.get().memoryManager()
        self._over = Event()
        self.lent = self.rest = 0.0

    def run(self) -> None:
        """Look until the end."""
        while not self._over.wait(0.5):
            self._look()

    def __enter__(self) -> "Live":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._look()

    def _look(self) -> None:
        before = self._lent()
        self._collect()
        # As it was right behind the collection: until Python asks, tasks have made new garbage.
        used = sum(each.getCollectionUsage().getUsed() for each in self._pools) / 2**20
        # A task that ended meanwhile gave back what the collection had still to count as live.
        lent = max(before, self._lent())
        self.lent = max(self.lent, lent)
        self.rest = max(self.rest, used - lent)

    def _lent(self) -> float:
        used: float = self._spark.executionMemoryUsed() + self._spark.storageMemoryUsed()
        return used / 2**20


def suite() -> list[dict[str, Any]]:
    """Return rules that every row of :func:`judge` breaks."""
    column = {"column": "k"}
    rules: list[tuple[str, dict[str, Any]]] = [
        ("column_values_to_be_between", {**column, "max_value": -1}),
        ("column_values_to_be_null", column),
        ("column_values_to_be_in_set", {"column": "s", "value_set": ["x"]}),
        ("column_values_to_match_regex", {"column": "s", "regex": "^[a-z]$"}),
        ("column_values_to_be_unique", column),
        ("column_values_to_be_unique", {"column": "s"}),
        ("compound_columns_to_be_unique", {"column_list": ["k", "s"]}),
        ("column_pair_values_a_to_be_greater_than_b", {"column_A": "k", "column_B": "up"}),
    ]
    return [{"type": f"expect_{name}", "kwargs": kwargs} for name, kwargs in rules]


def judge(rows: int) -> None:
    """Write so many bad rows, judge them, and print what it took."""
    from pyspark.sql import functions as F

    from benchmarks.gate_overhead import gated
    from benchmarks.sessions import open_session

    with tempfile.TemporaryDirectory() as folder:
        spark = open_session(Path(folder), memory=HEAP)
        data = spark.range(rows).select(
            (F.col("id") / 2).cast("long").alias("k"),
            F.concat(F.lit("a rather long text "), (F.col("id") / 2).cast("long")).alias("s"),
            (F.col("id") + 1).alias("up"),
        )
        with Live(spark.sparkContext) as live:
            steps = gated(spark, data, suite(), 1)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        spark.stop()
    told = {
        "rows": rows,
        "live MB": live.rest,
        "lent to tasks MB": live.lent,
        "Python MB": resident / 2**20,
    }
    print(json.dumps({**told, "gate s": steps["gate"]}))


def main() -> None:
    """Judge each size in a process of its own and print the table."""
    rows = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.gate_memory", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            rows.append({"rows": size, "failed": done.stderr.splitlines()[-1][:80]})
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    show("gate_memory", rows, [f"all rows bad, 8 rules guilty, driver heap {HEAP}"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        judge(int(sys.argv[1]))
    else:
        main()
