"""The project folder: where a DAG's jobs, suites and relative paths lie, beside the DAG file."""

import json
import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tidegate.contract import PathRead, Read, Suite
from tidegate.errors import SpecError, require

JOBS = "spark_jobs"
SUITES = "expectations"
_ABSOLUTE = re.compile(r"/|[^/]*:")
"""How a path begins that does not mean the project: at the root, or with a scheme."""


@dataclass(frozen=True)
class Project:
    """A folder with ``spark_jobs/`` and ``expectations/`` in it; a spark-submit runs there."""

    root: Path

    @classmethod
    def of(cls, dag_file: str, configured: str = "") -> "Project":
        """Find a DAG file's project: ``configured``, else the nearest folder above with jobs in it.

        Jobs so come from the same version of the DAG bundle as the DAG that names them.
        """
        if configured:
            return cls(Path(configured))
        folders = Path(dag_file).resolve().parents
        for folder in folders:
            if (folder / JOBS).is_dir() or (folder / SUITES).is_dir():
                return cls(folder)
        return cls(folders[0])

    def job(self, name: str) -> Path:
        """Return the job file ``name``.

        :raises SpecError: if it is not there.
        """
        return self._file(self.root / JOBS, name, f"job {name!r}")

    def suite(self, name: str) -> Suite:
        """Read the suite ``name`` from ``expectations/<name>.json``.

        :raises SpecError: if it is not there, or not a suite of typed expectations in JSON.
        """
        file = self._file(self.root / SUITES, f"{name}.json", f"gate {name!r}")
        try:
            document: Any = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as broken:
            raise SpecError(f"gate {name!r}: {file} is not JSON: {broken}") from broken
        require(
            _is_suite(document),
            f"gate {name!r}: {file} is no Great Expectations 1.x suite: expected "
            '{"name": …, "expectations": '
            '[{"type": "expect_…", "kwargs": {…}, "severity": "critical"}, …]}',
        )
        return Suite(name=name, document=document)

    def _file(self, folder: Path, name: str, what: str) -> Path:
        file = folder / name
        # Links are followed first: a folder may be mounted by one, but what it holds stays in it.
        is_inside = file.resolve().is_relative_to(folder.resolve())
        require(is_inside, f"{what}: it lies outside {folder}; name a file in there")
        if not file.is_file():
            raise SpecError(f"{what}: no file {file}; {_hint(folder, name)}")
        return file

    def absolute(self, read: Read) -> Read:
        """Return ``read`` with a relative path made absolute: it means the project folder.

        Executors run in other folders than the DAG's author thinks of.

        :raises SpecError: if a relative path leaves the project.
        """
        if not isinstance(read, PathRead) or _ABSOLUTE.match(read.path):
            return read
        require(
            os.path.normpath(read.path).partition("/")[0] != "..",
            f"reads[{read.name!r}]: {read.path!r} leaves the project {self.root}; give a path "
            "below it, or an absolute one",
        )
        # Not as_uri(): Hadoop takes a path as it is written: percent signs, blanks and globs too.
        return replace(read, path=f"file://{self.root / read.path}")


def _is_suite(document: object) -> bool:
    if not isinstance(document, dict):
        return False
    expectations = document.get("expectations")
    if not isinstance(expectations, list):
        return False
    return all(isinstance(each, dict) and "type" in each for each in expectations)


def _hint(folder: Path, name: str) -> str:
    if not folder.is_dir():
        return "the folder is missing"
    there = sorted(each.name for each in folder.iterdir())
    close = get_close_matches(name, there, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if there:
        return f"there are {there[:8]}"
    return "the folder is empty"
