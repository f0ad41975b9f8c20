"""What a warm driver holds after so many stages: its JVM's heap and memory, and its Python's.

``python -m benchmarks.warm_memory 200``: the number of reuses. A driver retires by itself: the
table then goes on with the next one.
"""

import os
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.stage_overhead import GATE, apart, project, stage
from benchmarks.tables import show

REUSES = 200
EVERY = 20
_KEEPER = "tidegate.submit.warm.keeper"


def living(folder: Path) -> list[psutil.Process]:
    """Return the keeper, the JVM and the Pythons of this benchmark's driver."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIRFLOW_HOME") == str(folder / "airflow"):
                found.append(process)
        except psutil.Error:  # it has just ended, or is somebody else's
            continue
    return [process for process in found if process.pid != os.getpid()]


def rested(folder: Path, doors: Path) -> str:
    """Wait until the driver waits; return the MiB that its keeper was told of."""
    log = doors / "0.log"
    while True:
        lines = log.read_text(encoding="utf-8").splitlines()
        if lines and "over" in lines[-1]:
            return lines[-1].split(maxsplit=1)[1]
        if lines and (held := re.search(r"(\d+) MiB, waits", lines[-1])):
            return held[1]
        time.sleep(0.1)


def row(folder: Path, number: int, seconds: float, held: str) -> dict[str, Any]:
    """Return what the driver's processes hold now."""
    sizes = {"keeper": 0, "JVM": 0, "waiting Python": 0, "next attempt": 0}
    for process in living(folder):
        command = " ".join(process.cmdline())
        name = "JVM"
        if _KEEPER in command:
            name = "keeper"
        elif "--warm" in command and "java" not in command:
            above = process.parent()
            name = "waiting Python"
            if above and "java" not in above.cmdline()[0]:
                name = "next attempt"
        # Shared pages are counted once: those of a fork are its parent's.
        full = process.memory_full_info()
        sizes[name] += int((full.uss if name == "next attempt" else full.rss) / 2**20)
    return {"stages": number, "s": seconds, "told MiB": held, **sizes}


def main() -> None:
    """Run the stages, one after the other, and print every twentieth."""
    import tidegate.operators  # noqa: F401

    reuses = int(sys.argv[1]) if len(sys.argv) > 1 else REUSES
    rows = []
    with project() as folder:
        os.environ["TMPDIR"] = str(folder)
        doors = folder / f"tidegate-{os.getuid()}"
        try:
            for number in range(reuses + 1):
                began = time.monotonic()
                apart(partial(stage, folder, number, GATE, 300))
                seconds = time.monotonic() - began
                held = rested(folder, doors)
                if number in (0, 1, 2, 5, 10) or number % EVERY == 0:
                    rows.append(row(folder, number, seconds, held))
                    print(rows[-1], flush=True)
        finally:
            for process in living(folder):
                process.kill()
    show("warm_memory", rows)


if __name__ == "__main__":
    main()
