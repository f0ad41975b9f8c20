"""How the code is written: a line says one thing. The measures are those of ``prose.py``."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.house.prose import ROOT, Prose, package

PACKAGE = package()
ALL = [
    *PACKAGE,
    *package("dags"),
    *package("spark_jobs"),
    *package("demo"),
    *package("benchmarks"),
    *package("tests"),
]
LINES = sum(each.code_lines for each in PACKAGE)


def test_no_line_is_wider_than_100_columns() -> None:
    assert [where for each in ALL for where in each.wide()] == []


@pytest.mark.parametrize(
    "found",
    [Prose.nested, Prose.chained, Prose.paired],
    ids=["no conditional in another", "no condition in an argument", "no two assignments in one"],
)
def test_a_line_says_one_thing(found: Callable[[Prose], Iterator[str]]) -> None:
    assert [where for each in PACKAGE for where in found(each)] == []


def test_decisions_are_spread_thin() -> None:
    assert sum(each.decisions for each in PACKAGE) / LINES <= 0.17


def test_conditional_expressions_are_rare() -> None:
    assert 1000 * sum(len(each.conditionals) for each in PACKAGE) / LINES <= 10


def test_type_ignores_are_rare() -> None:
    assert 1000 * sum(each.ignores for each in PACKAGE) / LINES <= 1


def test_no_code_is_kept_from_the_formatter() -> None:
    kept = [each.path for each in PACKAGE if "# fmt:" in each.text]
    kept += [each.path for each in package("dags") if "# fmt:" in each.text]
    assert kept == []


def test_no_two_files_of_a_room_differ_by_an_s() -> None:
    names = {each.path.with_suffix("") for each in PACKAGE}
    names |= {each.path.parent for each in PACKAGE}
    assert [name for name in names if Path(f"{name}s") in names] == []


def test_everything_public_says_what_it_does() -> None:
    silent = []
    for each in PACKAGE:
        for node in _public(ast.parse(each.text)):
            if ast.get_docstring(node) is None and "noqa: D102" not in _head(each, node):
                silent.append(f"{each.path.relative_to(ROOT)}:{node.lineno}: {node.name}")
    assert silent == []


def _public(holder: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Yield what can be reached by name: not what is defined inside a function."""
    for node in holder.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _head(prose: Prose, node: ast.ClassDef | ast.FunctionDef) -> str:
    return prose.text.splitlines()[node.lineno - 1]
