"""What the Airflow wing borrows without a promise is there: an upgrade fails here, by name."""

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

WING = Path(__file__).resolve().parents[2] / "plugins" / "tidegate"
HOOK = WING / "submit" / "hook.py"
SERVER = WING / "ui" / "airflow_server.py"
DRIVER = WING / "driver"
OF_THE_PROVIDER = {
    "_application_args",
    "_build_spark_submit_command",
    "_conf",
    "_connection",
    "_name",
    "_process_spark_submit_log",
    "_py_files",
    "_spark_exit_code",
    "_submit_sp",
}


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def borrowed_of_the_server() -> list[tuple[str, str]]:
    """Return module and name of everything of Airflow that the pages' file imports."""
    found = []
    for node in tree_of(SERVER).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow."):
            found += [(str(node.module), each.name) for each in node.names]
    return found


def of_the_wing() -> Iterator[Path]:
    for file in sorted(WING.rglob("*.py")):
        if not file.is_relative_to(DRIVER):
            yield file


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    connection = {"conn_type": "spark", "host": "spark://m:7077"}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    return SparkSubmitHook(conn_id="spark_default", py_files="theirs.zip")


@pytest.mark.parametrize("name", sorted(OF_THE_PROVIDER))
def test_the_spark_providers_hook_has_it(hook: Any, name: str) -> None:
    assert hasattr(hook, name)


def test_the_hook_keeps_what_we_read_and_write_there(hook: Any) -> None:
    assert hook._connection["master"] == "spark://m:7077"
    assert {"deploy_mode", "spark_binary"} <= hook._connection.keys()
    assert hook._py_files == "theirs.zip"
    assert hook._submit_sp is None
    assert hook._spark_exit_code is None


def test_the_hook_takes_a_kubernetes_master_without_another_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`kube_client` is what its module looks for; a stand-in is enough to be constructed."""
    from airflow.providers.apache.spark.hooks import spark_submit

    connection = {"conn_type": "spark", "host": "k8s://https://m:6443"}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    monkeypatch.setattr(spark_submit, "kube_client", object(), raising=False)
    assert spark_submit.SparkSubmitHook()._connection["master"] == "k8s://https://m:6443"


def test_the_hook_makes_a_command_of_what_we_write_there(hook: Any) -> None:
    hook._name = "ours"
    hook._application_args = []
    command = hook._build_spark_submit_command("driver.py")
    assert command[command.index("--name") + 1] == "ours"
    assert command[-1] == "driver.py"


def test_the_hook_hands_its_output_over_as_we_take_it(hook: Any) -> None:
    assert list(signature(hook._process_spark_submit_log).parameters) == ["itr"]


def test_the_hook_passes_on_how_the_process_is_to_be_started(hook: Any) -> None:
    kinds = [each.kind for each in signature(hook.submit).parameters.values()]
    assert Parameter.VAR_KEYWORD in kinds


def test_the_list_of_the_provider_is_what_its_file_touches() -> None:
    touched = set()
    for node in ast.walk(tree_of(HOOK)):
        if isinstance(node, ast.Attribute | ast.FunctionDef):
            touched.add(node.attr if isinstance(node, ast.Attribute) else node.name)
    ours = {"_constructed"}
    assert {name for name in touched if private(name)} - ours == OF_THE_PROVIDER


@pytest.mark.parametrize(("module", "name"), borrowed_of_the_server())
def test_airflows_server_has_it(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


def test_airflows_server_takes_what_we_ask_of_it() -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

    from tidegate.ui.airflow_server import guarded_app, may_read_runs

    assert DagAccessEntity.RUN
    assert callable(may_read_runs().dependency)
    app = guarded_app()
    assert [each for each in app.router.dependencies if callable(each.dependency)]
    (override,) = app.dependency_overrides
    assert override.__name__ == "auth_manager_from_app"


def test_nobody_else_of_the_wing_borrows() -> None:
    found = set()
    for file in of_the_wing():
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ImportFrom) and file != SERVER:
                assert not (node.module or "").startswith("airflow.api_fastapi"), file
            if not isinstance(node, ast.Attribute) or not private(node.attr) or file == HOOK:
                continue
            if not isinstance(node.value, ast.Name) or node.value.id not in ("self", "cls"):
                found.add(f"{file.name}: {ast.unparse(node)}")
    assert found == set()
