"""What a stage that went through hands on to other tasks: by XCom, and by its Asset's event."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from tidegate.contract import KINDS, Report, StageSpec, TableRead, read_as_json
from tidegate.errors import SpecError
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


def batch_events(result: Mapping[str, Any], report: Report) -> Iterator[dict[str, Any]]:
    """Yield what the Asset event of each published micro-batch tells, oldest first."""
    if report.flow is None:
        return
    for event in report.flow.events:
        yield {key: result[key] for key in EXTRA} | asdict(event)


def reads_of(reads: Any, task_id: str) -> Any:
    """Return ``reads`` with what can be read in the place of each stage's result.

    :raises SpecError: if a mapped stage is read whose copies published to several places, or none.
    """
    if not isinstance(reads, Mapping):
        return reads
    where = f"task {task_id!r}: reads"
    return {name: _read_of(f"{where}[{name!r}]", value) for name, value in reads.items()}


def _read_of(where: str, value: object) -> object:
    if isinstance(value, Mapping) and "read" in value:
        return value["read"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _read_of_copies(where, value)
    return value


def _read_of_copies(where: str, results: Sequence[object]) -> object:
    reads = [each["read"] for each in results if isinstance(each, Mapping) and "read" in each]
    if not reads:
        raise SpecError(
            f"{where}: no copy of the mapped stage handed anything on; was each one skipped?"
        )
    if all(read == reads[0] for read in reads):
        return reads[0]
    sources = {str(read.get("table") or read) for read in reads}
    if len(sources) > 1 or "table" not in reads[0]:
        raise SpecError(
            f"{where}: the copies of the mapped stage handed on {sorted(sources)}; name the one to "
            "read, e.g. {'table': …}, and draw the arrow: mapped_stage >> this_stage"
        )
    # Snapshot ids have no order: which one holds all copies' rows cannot be told from them. The
    # table, as it is when the driver opens it, does; the report then names its snapshot.
    return {"table": reads[0]["table"]}


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
