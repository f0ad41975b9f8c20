"""An attempt's files: where they lie, and how they are read and written; known nowhere else.

A store's root is a URI, ready for object stores; what is reached so far is the file system (a plain
path or ``file://``). Every name of a file that an attempt leaves stands in this module.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tidegate.contract import Attempt
from tidegate.errors import SpecError

SPEC = "spec.json"
"""What was asked."""
REPORT = "report.json"
"""How it went."""
DOCS = "data_docs.html"
"""Great Expectations' own page."""
LOG = "spark.log"
"""Spark's whole output."""
_LONGEST_REPORT = 64 * 1024 * 1024


@dataclass(frozen=True)
class AttemptFiles:
    """The files of one attempt, at the URI of its folder."""

    uri: str

    @property
    def folder(self) -> Path:
        """The folder on this machine.

        :raises SpecError: if the URI is of a store that this version cannot reach.
        """
        scheme, _, rest = self.uri.rpartition("://")
        if scheme not in ("", "file"):
            raise SpecError(
                f"[tidegate] reports_dir {self.uri!r}: a {scheme} store is not reached yet; "
                "name a folder"
            )
        return Path(rest)

    def path(self, name: str) -> Path:
        """Return where a file lies, for a process that needs it by its path."""
        return self.folder / name

    def exists(self, name: str) -> bool:
        """Tell whether the attempt left this file."""
        return self.path(name).is_file()

    def names(self) -> list[str]:
        """Return the names of the files that are there, sorted; none without a folder."""
        if not self.folder.is_dir():
            return []
        files = [each.name for each in self.folder.iterdir() if each.is_file()]
        return sorted(files)

    def read(self, name: str) -> str:
        """Return a file's text.

        :raises OSError: if it is not there or cannot be read.
        :raises ValueError: if it is larger than any report, or no UTF-8.
        """
        file = self.path(name)
        if file.stat().st_size > _LONGEST_REPORT:
            raise ValueError(f"{file} is larger than {_LONGEST_REPORT} bytes")
        return file.read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file for its owner alone, whole or not at all: nobody ever reads half of it."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{name}.{os.getpid()}")
        private = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(private, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.path(name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Store:
    """All attempts' files, below one root."""

    root: str

    def files(self, attempt: Attempt) -> AttemptFiles:
        """Return where an attempt's files lie: ``<dag>/<run>/<task>/map=<index>/try=<number>``."""
        run = quote(attempt.run_id, safe=":+")
        task = quote(attempt.task_id, safe="")
        below = (attempt.dag_id, run, task, f"map={attempt.map_index}", f"try={attempt.try_number}")
        return AttemptFiles("/".join((self.root.rstrip("/"), *below)))

    def of_run(self, dag_id: str, run_id: str) -> Iterator[AttemptFiles]:
        """Yield the files of every attempt of a DAG run that left a report, sorted by path."""
        run = AttemptFiles(f"{self.root.rstrip('/')}/{dag_id}/{quote(run_id, safe=':+')}").folder
        for report in sorted(run.glob(f"*/map=*/try=*/{REPORT}")):
            yield AttemptFiles(str(report.parent))

    def packages(self) -> Path:
        """Return the folder for packed drivers, which attempts share."""
        return AttemptFiles(f"{self.root.rstrip('/')}/driver").folder
