"""What a stage that went through hands on to other tasks: by XCom, and by its Asset's event."""

from dataclasses import replace
from typing import Any

from tidegate.contract import KINDS, Report, StageSpec, TableRead, read_as_json
from tidegate.store import REPORT, AttemptFiles

EXTRA = ("verdict", "suite", "rows", "snapshot_id", "run_id", "partition")
"""What an Asset event of published data tells the DAGs that are scheduled on it."""


def result_of(spec: StageSpec, report: Report) -> dict[str, Any]:
    """Return ``read`` (what a later stage reads), counts, verdict, and where the report lies."""
    rows: int | None = None
    version: int | None = None
    if report.output:
        rows = report.output.rows
        version = report.output.version
    return {
        "read": _read(spec, report),
        "rows": rows,
        "verdict": report.verdict,
        "suite": spec.suite.name,
        "snapshot_id": version,
        "run_id": spec.attempt.run_id,
        "partition": dict(spec.partition),
        "report": str(AttemptFiles(spec.folder).path(REPORT)),
    }


def _read(spec: StageSpec, report: Report) -> dict[str, Any]:
    output = report.output
    publishes = KINDS[spec.kind].publishes
    if publishes == "nothing":
        return _judged(spec, report)
    if output is None:
        return {}
    if publishes == "model":
        return {"model": output.target, "version": output.version}
    return {"table": output.target, "snapshot_id": output.version}


def _judged(spec: StageSpec, report: Report) -> dict[str, Any]:
    """Return what a gate of its own judged, at the snapshot it was judged at."""
    judged = spec.reads[0]
    snapshot = report.inputs[0].snapshot_id
    if isinstance(judged, TableRead):
        judged = replace(judged, snapshot_id=snapshot or judged.snapshot_id)
    read = read_as_json(judged)
    del read["name"]
    return {key: value for key, value in read.items() if value}
