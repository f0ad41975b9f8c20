"""Every piece of a DAG in the documents becomes a DAG; every command of Airflow is one."""

import ast
import runpy
import shlex
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import pytest
from tests.documents import BLOCKS, Block, in_language, placed

from tidegate.errors import DriverLost, GateClosed
from tidegate.operators.base import StageOperator

OPEN_DAG = """
from airflow.sdk import DAG
from tidegate.operators import (
    BatchStageOperator, GateOperator, GraphStageOperator, SqlStageOperator, StreamStageOperator,
    TrainStageOperator,
)

with DAG("snippet", schedule=None):
"""
STAGE = {"job": "job.py", "gate": "suite", "reads": {"x": "landing/x.csv"}}
"""What is said of a stage whose document shows a single argument."""


def is_argument(node: ast.stmt) -> bool:
    """Tell ``partition={...}``, an argument shown alone, from a line of a DAG file."""
    return isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call)


def stage_with(node: ast.stmt, number: int) -> str:
    """Return a stage with one argument, which a document shows as ``name=value``."""
    assert isinstance(node, ast.Assign)
    name = ast.unparse(node.targets[0])
    stage = {**STAGE, "task_id": f"t{number}", "writes": f"lake.a.t{number}"}
    stage.pop(name, None)
    said = ", ".join(f"{key}={value!r}" for key, value in stage.items())
    return f"BatchStageOperator({said}, {name}={ast.unparse(node.value)})\n"


def dag_file(block: Block) -> str:
    """Return a block as the whole DAG file which it is, or is a piece of."""
    if "with DAG(" in block.text:
        return block.text
    statements = ast.parse(block.text).body
    if not all(is_argument(node) for node in statements):
        return OPEN_DAG + indent(block.text, "    ")
    stages = [stage_with(node, number) for number, node in enumerate(statements)]
    return OPEN_DAG + indent("".join(stages), "    ")


def files_named(text: str) -> list[tuple[str, str]]:
    """Return folder and name of the jobs and suites that a DAG file names."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            if node.arg == "job":
                found.append(("spark_jobs", str(node.value.value)))
            if node.arg == "gate":
                found.append(("expectations", f"{node.value.value}.json"))
    return found


PYTHON = in_language("python")
PIECES = [each for each in PYTHON if not (each.is_job or each.is_test or each.is_expectation)]
TELLING = [each for each in PYTHON if "on_failure_callback" in each.text]


@pytest.mark.parametrize("block", placed(PIECES))
def test_a_dag_or_a_piece_of_one_parses_and_survives_serialisation(
    block: Block, tmp_path: Path
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    text = dag_file(block)
    for folder in ("dags", "spark_jobs", "expectations"):
        (tmp_path / folder).mkdir()
    for folder, name in files_named(text):
        (tmp_path / folder / name).write_text('{"name": "s", "expectations": []}')
    (tmp_path / "dags" / "snippet.py").write_text(text)
    bag = DagBag(dag_folder=str(tmp_path / "dags"))
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    assert dag.tasks
    kinds = [
        getattr(task, "operator_class", type(task)) for task in dag.tasks
    ]  # if mapped: of what
    assert [kind for kind in kinds if not issubclass(kind, StageOperator)] == []
    assert DagSerialization.to_dict(dag)


@pytest.mark.parametrize("block", placed(TELLING))
@pytest.mark.parametrize("failure", [GateClosed("late"), DriverLost("late"), None])
def test_a_callback_tells_a_failure(
    block: Block, failure: Exception | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder, name in files_named(block.text):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text('{"name": "s", "expectations": []}')
    dag_path = tmp_path / "dags" / "told.py"
    dag_path.parent.mkdir()
    dag_path.write_text(block.text)
    tell = runpy.run_path(str(dag_path))["tell"]
    tell({"exception": failure, "ti": SimpleNamespace(task_id="clean_orders")})
    whom = {GateClosed: "owner of the data"}.get(type(failure), "on call")
    assert caplog.messages == [f"{whom}: task clean_orders: {failure}"]


def commands() -> list[Any]:
    """Return the lines of all blocks that call ``airflow``, as parameters."""
    found = []
    for block in BLOCKS:
        if block.language:
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines if line.startswith("airflow ")]
        found += [pytest.param(each, id=f"{block.place} {each[-1]}") for each in words]
    assert found
    return found


@pytest.mark.parametrize("words", commands())
def test_a_command_of_airflow_is_one(words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    assert get_parser().parse_args(words[1:])
