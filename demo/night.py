"""``make demo``: a night that publishes with a warning, and one that closes its gate.

Both are told as they happen.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from demo.server import KEEP_WARM, PROJECT, AirflowServer
from tidegate.contract import Report
from tidegate.store import PAGE, REPORT, Store
from tidegate.telling.finding import sentence

DAG = "nightly_flights"
GOOD, BAD = "2013-02-08", "2013-02-12"
STAGES = ("landing_weather", "clean_flights", "daily_delays", "train_delay_model", "rank_airports")
TABLES = ("clean", "daily_delays", "airport_ranks")
TOLD = ("success", "failed", "up_for_retry", "upstream_failed")
MARKS = {"critical": "FAILED", "warning": "warned", "info": "noted"}


def say(text: str = "") -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def run_night(server: AirflowServer, day: str) -> tuple[str, str]:
    """Run the DAG for ``day``, saying each task's end; return the run's id and state."""
    run_id = f"demo_{day}_{int(time.time())}"
    began = time.monotonic()
    say(f"\n── the night of {day} ──  run {run_id}")
    server.trigger(DAG, run_id, {"date": day})
    told: dict[str, str] = {}
    while True:
        for task, each in server.tasks(DAG, run_id).items():
            state = each["state"]
            if state not in TOLD or told.get(task) == state:
                continue
            told[task] = state
            since = time.monotonic() - began
            seconds = ""
            if each["duration"]:
                seconds = f"{each['duration']:.0f} s"
            say(f"  {since:5.0f} s  {task:18} {state.replace('_', ' '):16} {seconds}")
        state = server.state(DAG, run_id)
        if state in ("success", "failed"):
            return run_id, state
        time.sleep(1)


def reports(server: AirflowServer, run_id: str) -> dict[str, dict[str, Any]]:
    """Return the newest report of every task of a run."""
    found = {}
    for files in Store(str(server.home / "tidegate")).of_run(DAG, run_id):
        document = json.loads(files.read(REPORT))
        found[document["attempt"]["task_id"]] = {**document, "files": files}
    return found


def summary(found: dict[str, dict[str, Any]]) -> None:
    """Print what every stage did."""
    head = f"{'stage':18} {'kind':6} {'outcome':10} {'rows':>6}  {'verdict':8}"
    say(f"\n  {head} {'expectations':32} seconds")
    for task in STAGES:
        if task not in found:
            say(f"  {task:18} {'':6} not run")
            continue
        report = found[task]
        judged = report["judgement"] or {"verdict": "", "expectations": []}
        rows = (report["output"] or {}).get("rows")
        if rows is None:
            rows = ""
        seconds = sum(report["steps"].values())
        say(
            f"  {task:18} {report['kind']:6} {report['outcome']:10} {rows:>6}  "
            f"{judged['verdict']:8} {counted(judged['expectations']):32} {seconds:5.1f}"
        )


def counted(expectations: list[dict[str, Any]]) -> str:
    """Return how many expectations hold, and how many of each severity do not."""
    missed = [each["severity"] for each in expectations if not each["success"]]
    counts = [f"{len(expectations) - len(missed)} hold"]
    for severity, mark in MARKS.items():
        if severity in missed:
            counts.append(f"{missed.count(severity)} {mark}")
    return ", ".join(counts)


def snapshots() -> dict[str, int]:
    """Return the snapshot that readers of each table see, from Iceberg's own metadata files."""
    seen = {}
    for table in TABLES:
        folder = PROJECT / "lake" / "flights" / table / "metadata"
        if (hint := folder / "version-hint.text").is_file():
            metadata = json.loads(
                (folder / f"v{hint.read_text().strip()}.metadata.json").read_text(encoding="utf-8")
            )
            seen[f"lake.flights.{table}"] = metadata["current-snapshot-id"]
    return seen


def good_night(server: AirflowServer) -> bool:
    """Run the night that publishes with a warning: half of its flights were cancelled."""
    run_id, state = run_night(server, GOOD)
    found = reports(server, run_id)
    summary(found)
    if state != "success":
        logs = server.home / "tidegate" / DAG / run_id
        say(f"\nthe night of {GOOD} should have published; its logs are in {logs}")
        return False
    clean = found["clean_flights"]
    told = Report.from_json(clean["files"].read(REPORT))
    for each in told.judgement.failed if told.judgement else ():
        say(f"  {each.severity:8} {sentence(each)}")
    say(
        "\n  tables      "
        + ", ".join(f"{name} @ {snapshot}" for name, snapshot in snapshots().items())
    )
    say(f"  files       {PROJECT / 'lake'}")
    say(f"  model       delay_model@champion in {PROJECT / 'mlflow.db'}")
    say(f"  gate report {clean['files'].path(PAGE)}")
    return True


def bad_night(server: AirflowServer) -> bool:
    """Run the night with a wind of 1,048 mph: its gate closes and readers notice nothing."""
    before = snapshots()
    run_id, state = run_night(server, BAD)
    tasks = server.tasks(DAG, run_id)
    say("\n  what the person on call reads:\n")
    for line in server.log(DAG, run_id, "landing_weather"):
        if line.startswith("| "):
            say(f"  {line}")
    after = snapshots()
    for name, snapshot in before.items():
        now = "it still" if after[name] == snapshot else str(after[name])
        say(f"  readers of {name:28} saw snapshot {snapshot}, see {now}")
    once = tasks["landing_weather"]["try_number"] == 1
    return (
        state == "failed"
        and once
        and before == after
        and tasks["clean_flights"]["state"] == "upstream_failed"
    )


def main() -> int:
    """Run both nights; the exit code is 0 if and only if each ended as it should."""
    began = time.monotonic()
    say("starting Airflow …")
    home = Path(PROJECT, ".tidegate", "airflow")
    with AirflowServer(home, PROJECT / "dags", settings=KEEP_WARM) as server:
        well = good_night(server) and bad_night(server)
    ended = "both nights ended as they should"
    if not well:
        ended = "NOT as it should be"
    say(f"\n{ended} ({time.monotonic() - began:.0f} s)")
    say("next: `make up` opens Airflow's UI with this DAG, ready to trigger for any day of 2013")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
