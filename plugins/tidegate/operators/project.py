"""The project folder: where a DAG's jobs, suites and relative paths lie, found beside the DAG file itself."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from airflow.sdk.configuration import conf

from tidegate.contract import Read, Suite
from tidegate.errors import SpecError

JOBS, SUITES = "spark_jobs", "expectations"


@dataclass(frozen=True)
class Project:
    """A folder with ``spark_jobs/`` and ``expectations/`` in it; a spark-submit runs there."""

    root: Path

    @classmethod
    def of(cls, dag_file: str) -> "Project":
        """Find the project of a DAG file: ``[tidegate] project_dir``, else the nearest folder above with jobs in it.

        Jobs so come from the same version of the DAG bundle as the DAG that names them.
        """
        if configured := conf.get("tidegate", "project_dir", fallback=""):
            return cls(Path(configured))
        folders = Path(dag_file).resolve().parents
        return cls(
            next((f for f in folders if (f / JOBS).is_dir() or (f / SUITES).is_dir()), folders[0])
        )

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
        expectations = document.get("expectations") if isinstance(document, dict) else None
        if not isinstance(expectations, list) or not all(
            isinstance(e, dict) and "type" in e for e in expectations
        ):
            raise SpecError(
                f'gate {name!r}: {file} is no Great Expectations 1.x suite: expected {{"name": …, "expectations": '
                '[{"type": "expect_…", "kwargs": {…}, "severity": "critical"}, …]}'
            )
        return Suite(name=name, document=document)

    def _file(self, folder: Path, name: str, what: str) -> Path:
        file = folder / name
        if not file.is_file():
            there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
            close = get_close_matches(name, there, n=1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"there are {there[:8]}"
                if there
                else "the folder is missing"
            )
            raise SpecError(f"{what}: no file {file}; {hint}")
        return file

    def absolute(self, read: Read) -> Read:
        """Return ``read`` with a relative path made absolute: it means the project folder, wherever executors run."""
        path = read.path
        if path is None or path.startswith("/") or ":" in path.partition("/")[0]:
            return read
        # Not as_uri(): Hadoop takes a path as it is written, percent signs, blanks and globs included.
        return Read(**{**vars(read), "path": f"file://{self.root / path}"})
