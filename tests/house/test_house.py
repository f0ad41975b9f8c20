"""The rules of the house, held by a machine."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = sorted((ROOT / "plugins").rglob("*.py"))
DAGS, JOBS = sorted((ROOT / "dags").glob("*.py")), sorted((ROOT / "spark_jobs").glob("*.py"))
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(files: list[Path]) -> Iterator[tuple[str, Function]]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{name_of(file)}:{node.name}", node


def body_lines(node: Function) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("file", PACKAGE + JOBS, ids=name_of)
def test_a_file_is_at_most_300_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("file", DAGS + JOBS, ids=name_of)
def test_a_dag_and_a_job_are_at_most_40_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 40


def test_functions_are_short() -> None:
    lengths = {where: body_lines(node) for where, node in functions(PACKAGE)}
    assert {where: length for where, length in lengths.items() if length > 40} == {}
    assert sorted(lengths.values())[int(len(lengths) * 0.95)] <= 25


def test_functions_take_few_parameters_and_operators_at_most_six_of_their_own() -> None:
    crowded = {}
    for where, node in functions(PACKAGE):
        count = len(node.args.args) + len(node.args.kwonlyargs) - (node.args.args[:1] != [])
        allowed = 6 if where.startswith("plugins/tidegate/operators/base") or "/ui/" in where else 5
        if count > allowed:
            crowded[where] = count
    assert crowded == {}


def test_a_dag_file_defines_no_function_and_does_no_io() -> None:
    for file in DAGS:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, Function | ast.Lambda)]
        assert not re.search(
            r"\bopen\(|requests\.|Variable\.get|read_text", file.read_text(encoding="utf-8")
        )


def test_no_file_is_named_after_nothing() -> None:
    refused = re.compile(r"(^|/|_)(utils?|helpers?|common|managers?)(_|\.|/|$)")
    assert [path for path in TRACKED if refused.search(path)] == []


CATCH_ALL = {
    "plugins/tidegate/driver/__main__.py",  # anything at all becomes a report
    "plugins/tidegate/driver/check.py",  # a job raises anything; each is a finding
    "plugins/tidegate/driver/gate/plan.py",  # GX and the authors of expectations raise anything;
    "plugins/tidegate/driver/gate/replay.py",  # each is one expectation's failure, and no other's
}


def names_in(caught: ast.expr) -> list[str]:
    """Return the names of what is caught, alone or in a tuple."""
    return [node.id for node in ast.walk(caught) if isinstance(node, ast.Name)]


def test_only_these_catch_everything() -> None:
    broad = {
        name_of(file)
        for file in PACKAGE
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & set(names_in(node.type)))
    }
    assert broad == CATCH_ALL


def test_main_reads_as_one_sentence() -> None:
    assert (
        len((ROOT / "plugins/tidegate/driver/__main__.py").read_text(encoding="utf-8").splitlines())
        <= 60
    )


def test_errors_and_contract_import_the_standard_library_only() -> None:
    from sys import stdlib_module_names

    for file in (
        ROOT / "plugins/tidegate/errors.py",
        *(ROOT / "plugins/tidegate/contract").glob("*.py"),
    ):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert module.partition(".")[0] in stdlib_module_names or module.startswith(
                    "tidegate."
                ), (file, module)


def test_only_the_gate_imports_great_expectations_and_jobs_import_nothing_of_ours() -> None:
    for file in PACKAGE:
        if "/driver/gate/" not in str(file):
            assert not re.search(
                r"^\s*(import|from) great_expectations", file.read_text(encoding="utf-8"), re.M
            ), file
    for file in JOBS:
        assert "tidegate" not in file.read_text(encoding="utf-8")


def test_nothing_pins_an_address_or_a_path_of_a_machine() -> None:
    pins = [
        p
        for p in TRACKED
        if p.endswith((".txt", ".toml", ".lock", ".cfg")) or p in ("Makefile", ".ci/run")
    ]
    for path in pins:
        assert "://" not in (ROOT / path).read_text(encoding="utf-8"), path
    machine = re.compile(r"(?<![\w.])/(work|root|home)/\w")
    texts = [
        p for p in TRACKED if p.endswith((".py", ".md", ".toml", ".yml", ".conf", ".json", ".sql"))
    ]
    assert [
        p
        for p in texts
        if p != "tests/house/test_house.py"
        and machine.search((ROOT / p).read_text(encoding="utf-8"))
    ] == []


def test_no_data_no_jar_and_nothing_generated_is_tracked() -> None:
    assert [
        p
        for p in TRACKED
        if p.endswith((".jar", ".csv", ".parquet", ".zip", ".whl", ".pyc", ".db", ".ipynb"))
    ] == []


def test_the_changelog_begins_with_the_packages_version() -> None:
    from tidegate import __version__

    found = re.search(
        r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    assert found is not None
    assert found[1] == __version__


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    pinned = {
        line.partition("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert {re.split(r"[<>=\[;]", each)[0].lower() for each in wanted} - pinned == set()


def test_pyspark_and_its_client_are_of_one_version() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    assert pins["pyspark"] == pins["pyspark-client"]


def test_make_help_lists_at_most_ten_targets() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^ *make ([\w-]+)", shown, re.M)
    assert {"demo", "test", "up"} <= set(listed)
    assert len(listed) <= 10
