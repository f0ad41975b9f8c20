"""What is wrong is said while the DAG file is read; what is right becomes tasks and assets."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from stages import FakeProject

from tidegate import Merge, operators
from tidegate.errors import SpecError

ROOT = Path(__file__).resolve().parents[2]


def make(kind: str, project: FakeProject, dag: DAG | None = None, **overrides: Any) -> Any:
    arguments = {
        "task_id": "t",
        "dag": dag or project.dag(),
        "job": "job.sql" if kind == "Sql" else "job.py",
        "reads": {"x": "landing/x.csv"},
        "writes": "lake.a.b",
        "gate": "s",
    }
    if kind == "Graph":
        arguments["reads"] = {"vertices": "v.csv", "edges": "e.csv"}
    given = {**arguments, **overrides}
    return getattr(operators, f"{kind}StageOperator")(
        **{k: v for k, v in given.items() if v is not ...}
    )


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("Batch", {"job": "jbo.py"}, "task 't': job 'jbo.py': no file .*did you mean 'job.py'"),
    ("Batch", {"job": "job.sql"}, "runs a .py file"),
    ("Sql", {"job": "job.py"}, "runs a .sql file"),
    ("Batch", {"gate": "nope"}, "task 't': gate 'nope': no file"),
    ("Batch", {"gate": "broken"}, "gate 'broken': .* is not JSON"),
    ("Batch", {"gate": "other"}, "is no Great Expectations 1.x suite"),
    ("Batch", {"writes": "flights.clean"}, "names no catalog"),
    (
        "Batch",
        {"writes": "lake.a.b-c"},
        "names no catalog.namespace.table of letters, digits",
    ),
    ("Batch", {"writes": ""}, "name the table"),
    ("Train", {"writes": "models:/m"}, "no MLflow model name"),
    ("Batch", {"reads": {}}, "name at least one input"),
    ("Batch", {"reads": {"x": "flights.clean"}}, "task 't': reads.*catalog.namespace.table"),
    ("Batch", {"reads": {"spark": "x.csv"}}, "choose another name"),
    ("Batch", {"reads": {"x": 3}}, "is int; give a path, a table or a stage"),
    ("Batch", {"reads": {"x": {"path": "x.csv", "sheme": "id INT"}}}, "unknown"),
    ("Batch", {"mode": "upsert"}, "use 'replace'"),
    ("Batch", {"mode": "append", "partition": {"ds": "{{ ds }}"}}, "leave partition out to append"),
    ("Batch", {"mode": "merge"}, r"task 't': mode='merge' needs .* keys=\['id'\]"),
    ("Batch", {"mode": "merge", "keys": "id"}, "keys='id'; list the columns"),
    ("Batch", {"mode": "merge", "keys": []}, "list the columns"),
    ("Batch", {"mode": "merge", "keys": ["id", 3]}, "list the columns"),
    ("Batch", {"mode": "merge", "keys": ["id", "ID"]}, "name each column once"),
    ("Batch", {"keys": ["id"]}, "go with mode='merge'"),
    ("Batch", {"mode": Merge(keys=["id"]), "keys": ["id"]}, "Merge.keys=…"),
    ("Batch", {"mode": Merge(keys=["id"]), "partition": {"ds": "1"}}, "leave partition out"),
    ("Train", {"writes": "m", "mode": "merge", "keys": ["id"]}, "a train stage writes none"),
    ("Batch", {"partition": ["ds"]}, "give column to value"),
    ("Batch", {"partition": {"ds": ""}}, "give column to value"),
    ("Train", {"writes": "m", "partition": {"ds": "1"}}, "a train stage writes none"),
    ("Graph", {"reads": {"edges": "e.csv"}}, r"\['vertices'\] missing"),
    ("Graph", {"engine": "neo4j"}, "use 'graphx' or 'graphframes'"),
    (
        "Batch",
        {"writess": "lake.a.b"},
        r"task 't': unknown argument 'writess'; nearest: \['writes'",
    ),
    ("Graph", {"engin": "graphx"}, "task 't': unknown argument 'engin'; nearest"),
    ("Batch", {"driver_memory": "2 gigs"}, "task 't': driver_memory='2 gigs'; give a whole number"),
    ("Batch", {"executor_memory": "100m"}, "Spark does not start with less than 450m"),
]


@pytest.mark.parametrize(
    ("kind", "overrides", "said"), BAD, ids=[f"{k}-{s[:30]}" for k, _, s in BAD]
)
def test_bad_arguments_are_refused_at_parse(
    project: FakeProject, kind: str, overrides: dict[str, Any], said: str
) -> None:
    (project.root / "expectations" / "broken.json").write_text("{")
    (project.root / "expectations" / "other.json").write_text('{"expectations": [{"kwargs": {}}]}')
    with pytest.raises(SpecError, match=said):
        make(kind, project, **overrides)


def test_two_stages_of_one_dag_may_not_write_one_table(project: FakeProject) -> None:
    dag = project.dag()
    make("Batch", project, dag, task_id="one")
    with pytest.raises(SpecError, match="already written by task 'one'"):
        make("Sql", project, dag, task_id="two")


def test_what_is_templated_waits_for_the_run(project: FakeProject) -> None:
    made = make(
        "Batch",
        project,
        job="{{ params.job }}",
        writes="lake.{{ params.team }}.b",
        gate="{{ params.suite }}",
    )
    assert made.outlets == []


def test_reading_a_stage_is_depending_on_it(project: FakeProject) -> None:
    dag = project.dag()
    first = make("Batch", project, dag, task_id="first")
    gate = operators.GateOperator(task_id="gate", dag=dag, reads={"x": "x.csv"}, gate="s")
    last = make(
        "Sql", project, dag, task_id="last", reads={"a": first, "b": gate}, writes="lake.a.c"
    )
    assert last.upstream_task_ids == {"first", "gate"}


def test_the_target_is_an_asset_that_other_dags_can_be_scheduled_on(project: FakeProject) -> None:
    assert make("Batch", project, outlets=[Asset("mine")]).outlets == [
        Asset("mine"),
        Asset("lake.a.b"),
    ]


def test_the_retry_policy_is_there_unless_the_dag_has_one(project: FakeProject) -> None:
    from tidegate.retry import RETRY_POLICY

    assert make("Batch", project).retry_policy is RETRY_POLICY
    assert make("Batch", project, dag=project.dag("e"), retry_policy=None).retry_policy is None


def test_the_dags_of_this_project_parse_and_survive_serialisation() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    assert bag.import_errors == {}
    nightly = bag.dags["nightly_flights"]
    assert {task.task_id: set(task.upstream_task_ids) for task in nightly.tasks} == {
        "landing_weather": set(),
        "clean_flights": {"landing_weather"},
        "daily_delays": {"clean_flights"},
        "train_delay_model": {"clean_flights"},
        "rank_airports": {"clean_flights"},
    }
    again: Any = DagSerialization.from_dict(DagSerialization.to_dict(nightly))
    links = list(again.get_task("clean_flights").extra_links)
    assert links == ["Gate report", "Spark UI"]
    for name in ("live_departures", "live_weather"):
        live: Any = bag.dags[name]
        (task,) = live.tasks
        assert (task.task_type, task.max_active_tis_per_dag) == ("StreamStageOperator", 1)
        assert DagSerialization.from_dict(DagSerialization.to_dict(live)).task_ids == [name]


def test_the_stream_asks_for_the_jars_that_its_packages_replace() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags" / "live_departures.py"))
    (task,) = bag.dags["live_departures"].tasks
    conf = (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
    (defaults,) = re.findall(r"^spark\.jars\.packages\s+(\S+)$", conf, re.M)
    spark: Any = task
    packages = spark.spark["packages"].split(",")
    assert packages[:-1] == defaults.split(",")
    assert packages[-1].endswith(f":{version('pyspark')}")
