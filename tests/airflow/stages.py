"""A project on disk, a fake ``spark-submit`` that leaves a report, and Airflow's context."""

import json
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG
from pendulum import datetime

from tidegate.operators import BatchStageOperator

SUITE = {
    "name": "s",
    "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}],
}
FAKE = """#!{python}
import json, os, sys, time
from dataclasses import asdict, replace
from pathlib import Path
sys.path.insert(0, {plugins!r})
from tidegate.contract import (
    BatchEvent, Expectation, Failure, Flow, Input, Judgement, Output, Report, StageSpec,
)
from tidegate.store import REPORT, TOLD, AttemptFiles

spec_file = Path(sys.argv[-1])
if not spec_file.is_absolute():  # in cluster mode it travels as a file of the application
    spec_file = Path(sys.argv[sys.argv.index("--files") + 1].split(",")[0])
spec = StageSpec.from_json(spec_file.read_text())
spec_file.with_name("spec.seen.json").write_text(spec_file.read_text())
spec_file.with_name("environment.json").write_text(json.dumps(dict(os.environ)))
spec_file.with_name("argv.json").write_text(json.dumps(sys.argv))
how = json.loads(Path({how!r}).read_text())
files = AttemptFiles(spec.folder)
files.append(TOLD, json.dumps({{"ui": "http://127.0.0.1:4040"}}))
for line in how.get("tells", []):
    files.append(TOLD, line)
for line in how.get("prints", []):
    print(line, flush=True)
sys.stdout.buffer.write(bytes.fromhex(how.get("bytes", "")))
for _ in range(how.get("megabytes", 0)):
    sys.stdout.buffer.write(b"x" * 1024 * 1024)
sys.stdout.flush()
time.sleep(how.get("sleeps", 0))
if "leaves" in how:
    files.write(REPORT, how["leaves"].replace("ATTEMPT", json.dumps(asdict(spec.attempt))))
elif outcome := how.get("outcome"):
    missed = Expectation(
        id="1", type="expect_column_values_to_not_be_null", severity="critical", success=False,
        kwargs={{"column": "id"}}, unexpected=2, share=0.02, elements=100,
    )
    output = Output(
        target=spec.writes or spec.reads[0].source, rows=100, version=7, previous=6
    )
    told = {{"judgement": Judgement(verdict="pass"), "output": output}}
    if outcome == "held":
        closed = Judgement(verdict="closed", expectations=(missed,))
        told = {{"judgement": closed, "output": replace(output, held_at="aside")}}
    if outcome == "failed":
        failure = Failure(type=how["type"], message=how["message"], cause="the cause")
        told = {{"failure": failure}}
    if "events" in how:
        events = tuple(BatchEvent(**each) for each in how["events"])
        told["flow"] = Flow(query="q", events=events)
    report = Report(
        attempt=spec.attempt, kind=spec.kind, outcome=outcome, **told,
        inputs=tuple(Input(name=r.name, source=r.source) for r in spec.reads),
        steps={{"session": 1.0}}, spark={{"application": "app-1"}},
    )
    files.write(REPORT, report.to_json())
sys.exit(how.get("exit", 0))
"""


class FakeProject:
    """A project folder whose ``spark-submit`` does what :meth:`submit_will` says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("dags", "spark_jobs", "expectations", "bin"):
            (root / folder).mkdir()
        (root / "spark_jobs" / "job.py").write_text("def run(x):\n    return x\n")
        (root / "spark_jobs" / "job.sql").write_text("SELECT 1")
        (root / "expectations" / "s.json").write_text(json.dumps(SUITE))
        plugins = Path(__file__).resolve().parents[2] / "plugins"
        submit = root / "bin" / "spark-submit"
        submit.write_text(
            FAKE.format(python=sys.executable, plugins=str(plugins), how=str(root / "how.json"))
        )
        submit.chmod(submit.stat().st_mode | stat.S_IEXEC)
        self.submit_will(outcome="published")

    def submit_will(self, **how: Any) -> None:
        (self.root / "how.json").write_text(json.dumps(how))

    def dag(self, dag_id: str = "d") -> DAG:
        dag = DAG(dag_id, schedule=None, start_date=datetime(2013, 1, 1, tz="UTC"))
        dag.fileloc = str(self.root / "dags" / f"{dag_id}.py")
        return dag


def batch(project: FakeProject, **overrides: Any) -> BatchStageOperator:
    """Return a batch stage with every argument it needs."""
    arguments = {
        "task_id": "clean",
        "dag": project.dag(),
        "job": "job.py",
        "reads": {"x": "landing/x.csv"},
        "writes": "lake.a.b",
        "partition": {"ds": "2013-02-08"},
        "gate": "s",
    }
    return BatchStageOperator(**{**arguments, **overrides})


class Events(dict[Any, Any]):
    """Stands where Airflow collects what an Asset event will carry."""

    def __missing__(self, key: Any) -> SimpleNamespace:
        self[key] = SimpleNamespace(extra={}, added=[])
        self[key].add = lambda asset, extra: self[key].added.append((asset, extra))
        return self[key]


def context(task: Any, try_number: int = 1, **params: Any) -> dict[str, Any]:
    """Return what ``execute`` reads of Airflow's context, for a run of 2013-02-08."""
    day = datetime(2013, 2, 8, tz="UTC")
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id=task.dag.dag_id,
        task_id=task.task_id,
        run_id="r1",
        map_index=-1,
        try_number=try_number,
        max_tries=2,
        pushed=pushed,
    )
    ti.xcom_push = lambda key, value: pushed.update({key: value})
    run = SimpleNamespace(
        run_id="r1",
        logical_date=day,
        run_after=day,
        data_interval_start=day,
        data_interval_end=day.add(days=1),
    )
    return {
        "ti": ti,
        "dag_run": run,
        "params": {**dict(task.params), **params},
        "outlet_events": Events(),
        "ds": "2013-02-08",
    }


def given(task: Any, context: dict[str, Any]) -> Any:
    """Return the spec that the driver was given."""
    from tidegate.contract import StageSpec
    from tidegate.operators.attempt import this_attempt
    from tidegate.settings import reports_store
    from tidegate.store import SPEC

    return StageSpec.from_json(reports_store().files(this_attempt(context)).read(SPEC))
