"""What importing a DAG file adds to importing ``airflow.sdk``: ms, in fresh interpreters."""

import subprocess
import sys
from statistics import median

from benchmarks.sessions import ROOT
from benchmarks.tables import show

REPEATS = 7
CODE = """
import runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseOperator, Param, Asset
import pendulum
began = time.perf_counter()
runpy.run_path(sys.argv[1])
print((time.perf_counter() - began) * 1000)
"""


def main() -> None:
    """Measure every DAG file."""
    rows = []
    for dag in sorted((ROOT / "dags").glob("*.py")):
        found = []
        for _ in range(REPEATS):
            done = subprocess.run(
                [sys.executable, "-c", CODE, str(dag)], capture_output=True, text=True, check=True
            )
            found.append(float(done.stdout.splitlines()[-1]))
        rows.append(
            {
                "DAG file": dag.name,
                "median ms": median(found),
                "fastest ms": min(found),
                "slowest ms": max(found),
            }
        )
    show("parse_time", rows, ["on top of importing airflow.sdk and what every DAG takes from it"])


if __name__ == "__main__":
    main()
