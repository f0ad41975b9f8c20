"""``make tpch``: land TPC-H, fill three days in, wait for the report, and ask DuckDB."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.server import PROJECT, AirflowServer
from demo.tpch.project import prepare, settings

DAILY, REPORT = "tpch_daily", "tpch_report"
FIRST, LAST = "1995-01-01", "1995-01-03"
DAYS = 3
_ENDED = {"success", "failed"}


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def backfill(server: AirflowServer) -> None:
    """Have Airflow run the daily DAG for three days.

    :raises subprocess.CalledProcessError: if Airflow refuses.
    """
    for dag in (DAILY, REPORT):
        server.trigger_ready(dag)
    days = ["--from-date", FIRST, "--to-date", LAST, "--max-active-runs", str(DAYS)]
    command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", DAILY, *days]
    subprocess.run(command, env=server.environment, check=True, stdout=subprocess.DEVNULL)


def runs(server: AirflowServer, dag: str) -> list[dict[str, Any]]:
    """Return the DAG's runs, oldest first."""
    found: list[dict[str, Any]] = server.call("GET", f"dags/{dag}/dagRuns")["dag_runs"]
    return sorted(found, key=lambda run: run["run_after"])


def reported(server: AirflowServer) -> int:
    """Return how many published days the report's runs were started by."""
    events = 0
    for run in runs(server, REPORT):
        path = f"dags/{REPORT}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents"
        events += len(server.call("GET", path)["asset_events"])
    return events


def follow(server: AirflowServer, seconds: float = 900) -> bool:
    """Say each run's end; return whether all three days, and the reports on them, went well.

    :raises TimeoutError: if they have not ended within ``seconds``.
    """
    began = time.monotonic()
    told: set[str] = set()
    while time.monotonic() - began < seconds:
        known = [*runs(server, DAILY), *runs(server, REPORT)]
        ended = [run for run in known if run["state"] in _ENDED]
        for run in ended:
            if run["dag_run_id"] not in told:
                told.add(run["dag_run_id"])
                since = time.monotonic() - began
                say(f"  {since:5.0f} s  {run['state']:8} {run['dag_run_id']}")
        if any(run["state"] == "failed" for run in ended):
            return False
        days = [run for run in ended if run["dag_id"] == DAILY]
        if len(days) == DAYS and len(ended) == len(known) and reported(server) == DAYS:
            return True
        time.sleep(1)
    raise TimeoutError(f"three days have not ended within {seconds} s")


def differences(root: Path, environment: Mapping[str, str]) -> int:
    """Compare the lake with DuckDB in a process of its own; return its exit code."""
    command = [sys.executable, "-m", "demo.tpch.verdict", str(root)]
    return subprocess.run(command, env=environment, cwd=root, check=False).returncode


def main() -> int:
    """Run it all; the exit code is 0 if and only if the lake says what DuckDB says."""
    root = Path(PROJECT, ".tidegate", "tpch")
    prepare(root)
    say("starting Airflow …")
    with AirflowServer(root / "airflow", root / "dags", settings=settings(root)) as server:
        backfill(server)
        say(f"\n── {DAILY}, {FIRST} to {LAST}, and {REPORT} behind it")
        well = follow(server)
    path = os.pathsep.join((str(PROJECT), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, **settings(root), "PYTHONPATH": path}
    return int(not well) or differences(root, environment)


if __name__ == "__main__":
    sys.exit(main())
