"""Measures of the prose of code; ``python -m tests.house.prose`` prints them, file by file.

A code line is one that is neither blank, comment nor docstring. A decision is an ``if``, a loop, an
``except``, a conditional expression, each clause of a comprehension, each further operand of
``and`` and ``or``. The aims are those of shared/notes/style.md, section 5.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100
_ONE_EACH = (
    ast.If,
    ast.For,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.comprehension,
)
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Prose:
    """One file of Python, as prose."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @cached_property
    def code_lines(self) -> int:
        told: set[int] = set()
        for node in self.nodes:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                told |= set(range(node.lineno, (node.end_lineno or 0) + 1))
        lines = enumerate(map(str.strip, self.text.splitlines()), start=1)
        return sum(1 for n, line in lines if line and not line.startswith("#") and n not in told)

    @cached_property
    def decisions(self) -> int:
        count = sum(isinstance(node, _ONE_EACH) for node in self.nodes)
        for node in self.nodes:
            if isinstance(node, ast.comprehension):
                count += len(node.ifs)
            if isinstance(node, ast.BoolOp):
                count += len(node.values) - 1
        return count

    @cached_property
    def conditionals(self) -> list[ast.IfExp]:
        return [node for node in self.nodes if isinstance(node, ast.IfExp)]

    @cached_property
    def ignores(self) -> int:
        return self.text.count("# type: ignore")

    def wide(self) -> Iterator[str]:
        for number, line in enumerate(self.text.splitlines(), start=1):
            if len(line) > WIDTH:
                yield f"{self.path.relative_to(ROOT)}:{number}"

    def nested(self) -> Iterator[str]:
        for outer in self.conditionals:
            inner = [node for node in ast.walk(outer) if isinstance(node, ast.IfExp)]
            if len(inner) > 1:
                yield self._at(outer)

    def chained(self) -> Iterator[str]:
        """Yield where ``next`` stands for an ``if``, or an argument hides a condition."""
        for node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            for argument in node.args:
                if isinstance(argument, Comprehension) and any(g.ifs for g in argument.generators):
                    yield self._at(argument)

    def paired(self) -> Iterator[str]:
        """Yield the tuple assignments that are neither a swap nor an unpacking."""
        for node in self.nodes:
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
                continue
            if isinstance(node.targets[0], ast.Tuple) and not _is_swap(node):
                yield self._at(node)

    def _at(self, node: ast.expr | ast.stmt) -> str:
        return f"{self.path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:80]}"


def _is_swap(node: ast.Assign) -> bool:
    target = node.targets[0]
    assert isinstance(target, ast.Tuple)
    assert isinstance(node.value, ast.Tuple)
    return sorted(map(ast.unparse, target.elts)) == sorted(map(ast.unparse, node.value.elts))


def package(folder: str = "plugins/tidegate") -> list[Prose]:
    return [Prose(path) for path in sorted((ROOT / folder).rglob("*.py"))]


def main(folder: str = "plugins/tidegate") -> None:
    files = package(folder)
    lines = sum(each.code_lines for each in files)
    decisions = sum(each.decisions for each in files)
    conditionals = sum(len(each.conditionals) for each in files)
    print(f"{lines} code lines in {len(files)} files of {folder}")
    print(f"decisions a code line               {decisions / lines:.3f}")
    print(f"conditional expressions per 1,000   {1000 * conditionals / lines:.1f}")
    print(f"nested conditional expressions      {sum(len(list(e.nested())) for e in files)}")
    print(f"lines over {WIDTH} columns              {sum(len(list(e.wide())) for e in files)}")
    print(f"type-ignores                        {sum(each.ignores for each in files)}")
    for each in sorted(files, key=lambda each: -each.decisions / max(each.code_lines, 1))[:15]:
        density = each.decisions / max(each.code_lines, 1)
        print(f"  {density:.2f}  {each.path.relative_to(ROOT)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
