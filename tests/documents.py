"""The documents as the tests see them: blocks of code with their place, links, headings."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
_ELSEWHERE = re.compile(r"[a-z]+:")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    :param language: what stands behind the fence; empty for what a shell or a log says.
    :param line: the number of its first line.
    """

    file: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """File and line, as an editor opens it."""
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def is_job(self) -> bool:
        """Whether it is a Python job, to be run; other Python belongs into a DAG file."""
        return self.language == "python" and re.search(r"^def run\(", self.text, re.M) is not None

    @property
    def is_test(self) -> bool:
        """Whether it is a test of its page's job, to be run beside it."""
        return self.language == "python" and re.search(r"^def test_", self.text, re.M) is not None

    @property
    def is_expectation(self) -> bool:
        """Whether it defines an expectation of the author's own, to be asked."""
        return self.language == "python" and "great_expectations" in self.text

    def compiled(self) -> str:
        """Return its text behind so many empty lines that an error names the document's line.

        :raises SyntaxError: if it is no Python.
        """
        padded = "\n" * (self.line - 1) + self.text
        compile(padded, str(self.file), "exec")
        return padded


def blocks(file: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    text = file.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Block(file, line, found[1], found[2])


BLOCKS = tuple(block for file in DOCUMENTS for block in blocks(file))


def placed(found: list[Block]) -> list[object]:
    """Return blocks as parameters of a test, each named by its place; there must be some."""
    assert found
    return [pytest.param(block, id=block.place) for block in found]


def in_language(language: str) -> list[Block]:
    """Return the blocks of one language, of every document."""
    return [block for block in BLOCKS if block.language == language]


def links(file: Path) -> Iterator[str]:
    """Yield where a document's links lead to, inside this project."""
    prose = _FENCE.sub("", file.read_text(encoding="utf-8"))
    for found in _LINK.finditer(prose):
        target = found[1] or found[2]
        if not _ELSEWHERE.match(target):
            yield target


def anchors(file: Path) -> set[str]:
    """Return what a link may name behind ``#``: a document's headings, as GitHub spells them."""
    prose = _FENCE.sub("", file.read_text(encoding="utf-8"))
    spoken = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose))
    return {heading.replace(" ", "-") for heading in spoken}


def suite_of(block: Block) -> dict[str, object]:
    """Return a block of JSON as a suite's document; a single expectation becomes a suite of it."""
    document: dict[str, object] = json.loads(block.text)
    if "expectations" in document:
        return document
    return {"name": "one", "expectations": [document]}
