"""``validate``: the DAGs, jobs and suites of a project, checked before anything runs."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.cli.environment import airflow_library
from tidegate.cli.exits import DONE, FAILED
from tidegate.contract import Finding, PathRead, Read, StageSpec
from tidegate.errors import SpecError, TidegateError
from tidegate.project import JOBS, SUITES, Project
from tidegate.submit.check import check

_ANY_DAY = datetime(2001, 2, 3, tzinfo=UTC)
_SPELLED = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d")
"""How a day stands in a path, most likely."""


def validate(folders: Sequence[Path], date: datetime | None) -> int:
    """Print one line for each finding of each project; return the exit code.

    :param date: for whose inputs to look; None: any day's will do, and none need be there yet.
    """
    wrong = 0
    with airflow_library():
        for folder in folders:
            project = Validation(folder, date)
            project.run()
            for finding in project.findings:
                sys.stdout.write(f"{finding.line}\n")
            wrong += sum(finding.wrong for finding in project.findings)
            sys.stdout.write(f"{project.summary}\n")
    return FAILED if wrong else DONE


class Validation:
    """The findings of one project."""

    def __init__(self, folder: Path, date: datetime | None) -> None:
        self._folder = folder.resolve()
        self._date = date
        self._dags = 0
        self.findings: list[Finding] = []
        self._specs: list[StageSpec] = []

    def run(self) -> None:
        """Check DAG files and what they ask for, then, if there are stages, their plans."""
        from tidegate.cli.dag_files import load

        if not self._folder.is_dir():
            raise SpecError(f"no folder {self._folder}; give a project's, with dags/ in it")
        dags = self._folder / "dags"
        files = load(dags if dags.is_dir() else self._folder)
        self._dags = len(files.dags)
        for file, why in files.broken.items():
            self._wrong(self._below(Path(file)), why)
        for _, dag in sorted(files.dags.items()):
            for task in dag.tasks:
                self._stage(task)
        self._unused()
        if self._specs:
            self.findings += check(self._specs, self._folder)

    @property
    def summary(self) -> str:
        """How much was looked at, and what came of it."""
        wrong = sum(finding.wrong for finding in self.findings)
        notes = len(self.findings) - wrong
        return (
            f"{self._folder.name}: {self._dags} DAGs, {len(self._specs)} stages checked; "
            f"errors: {wrong}, notes: {notes}"
        )

    def _stage(self, task: Any) -> None:
        from tidegate.cli.task import NeedsARun, check_copy, kind_of, stage_at
        from tidegate.cli.upstream import read_published

        if kind_of(task) is None:
            return
        where = f"{task.dag.dag_id} / {task.task_id}"
        try:
            # Of a mapped stage the first copy stands for all.
            index = int(task.is_mapped) - 1
            check_copy(task, index)
            read_published(task)
            stage, context = stage_at(task, self._date or _ANY_DAY, index)
            spec, _ = stage.asked(context)
        except NeedsARun as later:
            self._note(where, str(later))
        except TidegateError as wrong:
            self._wrong(where, str(wrong))
        else:
            self._specs.append(self._of_any_day(spec))

    def _of_any_day(self, spec: StageSpec) -> StageSpec:
        """Return a stage whose inputs may be any day's, unless one was asked for."""
        if self._date is not None:
            return spec
        return replace(spec, reads=tuple(map(_of_any_day, spec.reads)))

    def _unused(self) -> None:
        """Look at what no stage asks for: it may be asked for tomorrow."""
        project = Project(self._folder)
        used = {spec.suite.name for spec in self._specs}
        for file in _files(self._folder / SUITES, "*.json"):
            if file.stem not in used:
                self._read(file, lambda file: project.suite(file.stem))
        for file in _files(self._folder / JOBS, "*.py"):
            self._read(file, lambda file: compile(file.read_bytes(), file.name, "exec"))

    def _read(self, file: Path, reading: Any) -> None:
        try:
            reading(file)
        except (SpecError, SyntaxError, ValueError) as wrong:
            self._wrong(self._below(file), f"{type(wrong).__name__}: {wrong}")

    def _below(self, file: Path) -> str:
        if file.is_relative_to(self._folder):
            return str(file.relative_to(self._folder))
        return str(file)

    def _wrong(self, where: str, told: str) -> None:
        self.findings.append(Finding(where=where, told=told))

    def _note(self, where: str, told: str) -> None:
        self.findings.append(Finding(where=where, told=told, wrong=False))


def _of_any_day(read: Read) -> Read:
    if not isinstance(read, PathRead):
        return read
    path = read.path
    for form in _SPELLED:
        path = path.replace(f"{_ANY_DAY:{form}}", "*")
    return replace(read, path=path)


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(folder.glob(pattern))
