"""The driver's memory over 1,000 micro-batches of one stream: flat, or not.

The resident set of the Python driver, and the JVM's heap after a collection, at every hundredth
micro-batch of ten messages. The table's metadata grows with every snapshot until they expire, as
Iceberg's does for every writer; its size stands beside.
"""

import sys
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql.streaming.listener import StreamingQueryListener

from benchmarks.stream_bench import SUITE, Bench, opened
from benchmarks.stream_throughput import attempt
from benchmarks.tables import show

ASKED = sys.argv[1:] if __name__ == "__main__" else []
BATCHES = int(ASKED[0]) if ASKED else 1000
EVERY = max(BATCHES // 10, 1)
MESSAGES = 10
"""Of a micro-batch."""
TABLE = "lake.bench.long"
HEAP = "1g"


class Looks(StreamingQueryListener):
    """Looks at the memory at every so many micro-batches."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0

    def onQueryStarted(self, event: Any) -> None:
        """Do nothing."""

    def onQueryProgress(self, event: Any) -> None:
        """Look, if it is time."""
        self.seconds += event.progress.durationMs.get("triggerExecution", 0) / 1000
        done = event.progress.batchId + 1
        if done % EVERY == 0:
            self.rows.append(self.look(done))
            self.seconds = 0.0

    def onQueryIdle(self, event: Any) -> None:
        """Do nothing."""

    def onQueryTerminated(self, event: Any) -> None:
        """Do nothing."""

    def look(self, done: int) -> dict[str, Any]:
        """Return what there is to see."""
        jvm: Any = self.bench.spark.sparkContext._jvm
        jvm.System.gc()
        heap = jvm.java.lang.management.ManagementFactory.getMemoryMXBean().getHeapMemoryUsage()
        folder = Path(self.bench.folder, "lake", *TABLE.split(".")[1:], "metadata")
        newest = max(folder.glob("v*.metadata.json"), key=lambda file: file.stat().st_mtime)
        return {
            "micro-batches": done,
            "Python MB": psutil.Process().memory_info().rss / 2**20,
            "JVM heap MB": heap.getUsed() / 2**20,
            "table metadata MB": newest.stat().st_size / 2**20,
            "s a batch": self.seconds / EVERY,
        }


def main() -> None:
    """Run the stream, and print what was seen."""
    with opened(HEAP, "stream_memory") as bench:
        topic = bench.topic(BATCHES * MESSAGES)
        looks = Looks(bench)
        bench.spark.streams.addListener(looks)
        code, told = attempt(bench, TABLE, (topic, MESSAGES), SUITE)
        assert code == 0, told
    note = f"{MESSAGES} messages a micro-batch, 11 rules, driver heap {HEAP}; no snapshot expires"
    show("stream_memory", looks.rows, [note])


if __name__ == "__main__":
    main()
