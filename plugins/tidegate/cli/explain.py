"""``explain``: a report in the words of the task log, without Airflow or Spark."""

import sys
from dataclasses import replace
from pathlib import Path

from tidegate.cli.exits import DONE
from tidegate.contract import Report, StageSpec, Suite, plain
from tidegate.errors import SpecError
from tidegate.store import LOG, REPORT, SPEC, AttemptFiles
from tidegate.telling.card import card
from tidegate.telling.green import green
from tidegate.telling.outcome import UNBELIEVABLE, error_of


def explain(report: Path) -> int:
    """Print the green lines of a report, or its card.

    :raises SpecError: if there is no report, or none that can be believed.
    """
    file = _newest(report.resolve())
    files = AttemptFiles(str(file.parent))
    found = _report(files, file.name)
    for line in _told(files, found):
        sys.stdout.write(f"{line}\n")
    return DONE


def _newest(path: Path) -> Path:
    """Return the file meant: of a folder its report, or the newest of those below it."""
    below = sorted(path.glob(f"**/{REPORT}"), key=lambda file: file.stat().st_mtime)
    return below[-1] if below else path


def _report(files: AttemptFiles, name: str) -> Report:
    try:
        return Report.from_json(files.read(name))
    except (FileNotFoundError, IsADirectoryError):
        raise SpecError(
            f"no report at {files.path(name)}; give the report.json that a card names, or a folder "
            "with one in it"
        ) from None
    except UNBELIEVABLE as wrong:
        # Whatever stands in the file, a person is told one line of it.
        raise SpecError(f"{files.path(name)} is no report: {plain(str(wrong))[:300]}") from None


def _told(files: AttemptFiles, report: Report) -> list[str]:
    spec = _spec(files, report)
    error = error_of(spec, report, 0)
    if error is None:
        return green(report)
    return card(spec, error, report, str(files.path(LOG)))


def _spec(files: AttemptFiles, report: Report) -> StageSpec:
    """Return what was asked, as it lies beside the report; what the report knows of it, if not."""
    try:
        spec = StageSpec.from_json(files.read(SPEC))
    except (SpecError, *UNBELIEVABLE):
        # A report that was copied elsewhere alone still says how it went.
        suite = Suite(name=f"of {report.attempt.task_id}", document={})
        return StageSpec(
            kind=report.kind,
            attempt=report.attempt,
            reads=(),
            suite=suite,
            params={},
            folder=files.uri,
        )
    return replace(spec, folder=files.uri)
