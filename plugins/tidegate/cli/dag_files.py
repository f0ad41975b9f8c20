"""DAG files, imported as Airflow's DAG processor does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag

from tidegate.errors import require


@dataclass(frozen=True)
class DagFiles:
    """What DAG files define, and which of them cannot be imported.

    :param dags: the DAGs, by id.
    :param broken: for each file that cannot be imported, the line that says why.
    """

    dags: Mapping[str, Any]
    broken: Mapping[str, str]


def load(path: Path) -> DagFiles:
    """Import a DAG file, or every one of a folder."""
    found = DagBag(str(path.resolve()), safe_mode=path.is_dir())
    broken = {file: _deciding(file, trace) for file, trace in found.import_errors.items()}
    return DagFiles(found.dags, broken)


def dag_of(file: Path, dag_id: str | None) -> Any:
    """Return the DAG of a file.

    :raises SpecError: if the file cannot be imported, or it is not clear which DAG is meant.
    """
    require(file.is_file(), f"no DAG file {file}")
    files = load(file)
    require(not files.broken, f"DAG file {file}: {', '.join(files.broken.values())}")
    known = sorted(files.dags)
    meant = [dag for dag in files.dags.values() if dag_id in (None, dag.dag_id)]
    require(len(meant) == 1, f"{file} defines the DAGs {known}; say which one: --dag DAG_ID")
    return meant[0]


def _deciding(file: str, trace: str) -> str:
    """Return what a traceback ends with, in one line, and which line of the DAG file it came from.

    An error's own text may have several lines: it begins behind the last line of a frame.
    """
    lines = trace.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith(" ")]
    told = " ".join(lines[frames[-1] + 1 :] if frames else lines)
    places = re.findall(rf'File "{re.escape(file)}", line (\d+)', trace)
    at = [f"(line {line})" for line in places[-1:]]
    return " ".join([told.removeprefix("tidegate.errors."), *at])
