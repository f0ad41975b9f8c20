"""What Airflow's task process does with a stage, as a process of its own that a test can kill.

``python task.py`` loads Airflow once, as a worker has, and then forks a process for each line of
its input, as a worker does for each task: ``{"dag_file": …, "task_id": …, "run_id": …,
"try_number": …, "ds": …, "outcome": …, "output": …, "environment": {…}}``. The process loads the
DAG file, renders the operator, executes it, and writes what came of it to ``outcome``. On SIGTERM
it does what Airflow's task runner does: it calls ``on_kill``. Its pid is printed.
"""

import json
import os
import signal
import sys
import traceback
from datetime import datetime
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG

import tidegate.operators

GENERATION = 2


def load(dag_file: str) -> DAG:
    """Import a DAG file and return the DAG it calls ``dag``."""
    located = spec_from_file_location("the_dag", dag_file)
    assert located
    assert located.loader
    module = module_from_spec(located)
    located.loader.exec_module(module)
    dag: DAG = module.dag
    return dag


class _Events(dict[Any, Any]):
    """Where Airflow collects what an Asset event will carry."""

    def __missing__(self, key: Any) -> SimpleNamespace:
        return self.setdefault(key, SimpleNamespace(extra={}))


def context(asked: dict[str, Any], pushed: dict[str, Any]) -> dict[str, Any]:
    """Return the part of Airflow's context that a stage looks at."""
    day = datetime.fromisoformat(f"{asked['ds']}T00:00:00+00:00")
    names = {name: asked[name] for name in ("dag_id", "task_id", "run_id", "try_number")}
    ti = SimpleNamespace(
        **names,
        map_index=-1,
        max_tries=GENERATION,
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    run = SimpleNamespace(
        logical_date=day,
        run_after=day,
        run_id=asked["run_id"],
        data_interval_start=day,
        data_interval_end=day,
    )
    return {"ti": ti, "dag_run": run, "params": {}, "ds": asked["ds"], "outlet_events": _Events()}


def execute(asked: dict[str, Any]) -> None:
    """Execute one attempt; write ``result``, or ``error``, ``text`` and what ``then`` follows."""
    dag = load(asked["dag_file"])
    operator: Any = dag.get_task(asked["task_id"])
    pushed: dict[str, Any] = {}
    given = context({**asked, "dag_id": dag.dag_id}, pushed)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    try:
        operator.render_template_fields(given)
        outcome: dict[str, Any] = {"result": operator.execute(given)}
    except Exception as error:
        decision = operator.retry_policy.evaluate(error, asked["try_number"], GENERATION, given)
        outcome = {"error": type(error).__name__, "text": str(error), "then": decision.action.name}
    outcome |= {
        "pushed": pushed,
        "extra": {key.name: event.extra for key, event in given["outlet_events"].items()},
    }
    Path(asked["outcome"]).write_text(json.dumps(outcome), encoding="utf-8")


def forked(asked: dict[str, Any]) -> int:
    """Fork a process for one attempt; return its pid, in the parent only."""
    if pid := os.fork():
        return pid
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name, value in asked["environment"].items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        execute(asked)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    assert tidegate.operators
    import_module("airflow.providers.apache.spark.hooks.spark_submit")
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # nobody here waits for them: they shall not stay as zombies
    for line in sys.stdin:
        sys.stdout.write(f"{forked(json.loads(line))}\n")
        sys.stdout.flush()
