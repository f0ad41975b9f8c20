"""An attempt's files: where they lie, and how they are read and written; known nowhere else.

On each machine they lie in a folder (a plain path or ``file://``). What drivers on other machines
leave, and what all machines are to read, goes through a :class:`Shared` place: an object store or
HDFS, which whoever builds the store gives it. Every name of a file that an attempt leaves stands in
this module.

Who can write a folder above the attempt's can replace it whole: docs/security.md says whom a store
trusts. Within it, nothing is followed that somebody else laid there.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Protocol
from urllib.parse import quote

from tidegate.contract import Attempt
from tidegate.errors import SpecError

SPEC = "spec.json"
"""What was asked."""
DRIVERS_SPEC = "driver.json"
"""What was asked, on its way to a driver elsewhere; with its secrets, so only until it is there."""
KEYTAB = "keytab"
"""The Spark connection's keytab, while Spark needs it."""
REPORT = "report.json"
"""How it went."""
TOLD = "told.jsonl"
"""What the driver tells the task log while it works: one JSON object a line."""
PAGE = "report.html"
"""The report as a page, for people without Airflow's UI; the UI makes its own of the report."""
DOCS = "data_docs.html"
"""Great Expectations' own page, if the suite asks for it: an export, which nothing serves."""
TICKET = "ticket.json"
"""By what the driver is known while no task waits for it."""
HEIR = "heir"
"""The number of the later try that waits for the driver."""
LOG = "spark.log"
"""Spark's whole output."""
LONGEST = 16 * 1024 * 1024
"""The most bytes that are read of a file; a report of a thousand expectations has two million."""
_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a file being written has a longer name."""


KEPT = (SPEC, REPORT, TOLD, DOCS, PAGE, LOG)
"""What of an attempt all machines may read, once it is over."""


class Files(Protocol):
    """The files of one attempt, wherever they lie."""

    @property
    def uri(self) -> str:
        """The folder's address, as Hadoop has it."""

    def read(self, name: str) -> str:
        """Return a file's text.

        :raises OSError: if it is not there, or cannot be read.
        :raises ValueError: if it is larger than any report, or no UTF-8.
        """

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all.

        :raises OSError: if it cannot be written.
        """

    def discard(self, folder: str) -> None:
        """Remove a folder with all that is in it, as far as it can be removed."""


class Shared(Protocol):
    """A place that all machines reach, and that holds the files of all attempts."""

    def files(self, place: str) -> Files:
        """Return the files of the attempt at a path below the root."""


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
                f"[tidegate] reports_dir {self.uri!r} is no folder of this machine, and no place "
                "that Airflow's object storage reaches"
            )
        return Path(rest)

    def create(self) -> None:
        """Make the folder, new and empty and for its owner alone, whatever the umask.

        What an earlier execution of the same try left (or a stranger has laid there, a link too) is
        moved aside, not used.
        """
        folder = self.folder
        for parent in reversed(folder.parents):
            if not parent.is_dir():
                parent.mkdir(mode=0o755, exist_ok=True)
        if os.path.lexists(folder):
            folder.rename(folder.with_name(f"earlier-{folder.name}-{token_hex(4)}"))
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)  # a umask may take even the owner's rights away

    def keep(self) -> None:
        """Have the folder be there, as it is."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

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

        :raises OSError: if it is not there, is a link, or cannot be read.
        :raises ValueError: if it is no plain file, larger than any report, or no UTF-8.
        """
        with open(self._open(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > LONGEST:
                raise ValueError(f"{name} is no plain file of at most {LONGEST:,} bytes")
            return file.read(LONGEST).decode("utf-8")

    def end_of(self, name: str) -> str:
        """Return the end of a file that may be of any size, as text.

        :raises OSError: if it is not there, is a link, or cannot be read.
        """
        with open(self._open(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - LONGEST))
            return file.read(LONGEST).decode("utf-8", errors="replace")

    def write(self, name: str, text: str) -> None:
        """Write a file for its owner alone, whole or not at all: nobody ever reads half of it."""
        self.keep()
        aside = f".{name}.{token_hex(4)}"
        try:
            with open(self.open_new(aside), "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            self.path(aside).replace(self.path(name))
        finally:
            # On a full disk, half a file stays behind and would never be cleaned up.
            self.remove(aside)

    def open_new(self, name: str) -> int:
        """Return a descriptor to write a file that must not be there yet, for its owner alone."""
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def open_more(self, name: str) -> int:
        """Return a descriptor to add to a file, for its owner alone, whether or not it is there."""
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, name: str, line: str) -> None:
        """Add one line to a file; lines of one process never mix."""
        out = self.open_more(name)
        try:
            os.write(out, f"{line}\n".encode())
        finally:
            os.close(out)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def discard(self, folder: str) -> None:
        """Remove a folder with all that is in it, as far as it can be removed."""
        shutil.rmtree(self.path(folder), ignore_errors=True)

    def _open(self, name: str, flags: int) -> int:
        return os.open(self.path(name), flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@dataclass(frozen=True)
class Store:
    """All attempts' files, below one root.

    :param shared: the place that all machines reach, if the root is a folder of this one.
    """

    root: str
    shared: Shared | None = None

    def files(self, attempt: Attempt) -> AttemptFiles:
        """Return where an attempt's files lie: ``<dag>/<run>/<task>/map=<index>/try=<number>``."""
        return AttemptFiles(f"{self.root.rstrip('/')}/{_place(attempt)}")

    def shared_files(self, attempt: Attempt) -> Files | None:
        """Return an attempt's files where all machines reach them; None without such a place.

        A root that is written ``file://…`` is one: whoever writes that mounts it everywhere.
        """
        if self.shared is not None:
            return self.shared.files(_place(attempt))
        if self.root.startswith("file://"):
            return self.files(attempt)
        return None

    def common(self, attempt: Attempt) -> Files:
        """Return an attempt's files at the most common place that there is."""
        return self.shared_files(attempt) or self.files(attempt)

    def leave(self, attempt: Attempt) -> None:
        """Leave what an attempt wrote on this machine where all machines find it.

        :raises OSError: if the place cannot be written.
        """
        if self.shared is None:
            return
        here = self.files(attempt)
        there = self.shared.files(_place(attempt))
        for name in KEPT:
            if here.exists(name):
                there.write(name, here.end_of(name))

    def bring(self, attempt: Attempt, name: str) -> None:
        """Have this machine hold a file that an attempt left for all, if there is one.

        :raises OSError: if the place cannot be read.
        """
        here = self.files(attempt)
        if self.shared is None or here.exists(name):
            return
        with suppress(FileNotFoundError, NotADirectoryError):  # it left none
            here.write(name, self.shared.files(_place(attempt)).read(name))

    def below(self, files: AttemptFiles, name: str) -> str:
        """Return where a file of an attempt lies below the root, as people are told."""
        return f"{files.uri.removeprefix(self.root.rstrip('/')).lstrip('/')}/{name}"

    def earlier(self, attempt: Attempt) -> Iterator[AttemptFiles]:
        """Yield the files of an attempt's earlier tries, as far as they are there."""
        here = self.files(attempt).folder.parent
        for folder in sorted(here.glob("*try=*")):
            if folder.is_dir() and not folder.is_symlink():
                yield AttemptFiles(str(folder))

    def of_run(self, dag_id: str, run_id: str) -> Iterator[AttemptFiles]:
        """Yield the files of every attempt of a DAG run that left a report, sorted by path."""
        run = AttemptFiles(self._run(dag_id, run_id)).folder
        for report in sorted(run.glob(f"*/map=*/try=*/{REPORT}")):
            yield AttemptFiles(str(report.parent))

    def packages(self) -> Path:
        """Return the folder for packed drivers, which attempts share; no DAG's folder has ``=``."""
        return AttemptFiles(f"{self.root.rstrip('/')}/driver=packed").folder

    def _run(self, dag_id: str, run_id: str) -> str:
        return "/".join((self.root.rstrip("/"), _name(dag_id), _name(run_id)))


def _place(attempt: Attempt) -> str:
    run = f"{_name(attempt.dag_id)}/{_name(attempt.run_id)}"
    task = f"{_name(attempt.task_id)}/map={attempt.map_index}"
    return f"{run}/{task}/try={attempt.try_number}"


def _name(id_: str) -> str:
    """Return an id as the name of one folder, below any file system's limit and never ``..``.

    A colon stays out of it: Hadoop takes what stands before one for a scheme.
    """
    quoted = quote(id_, safe="+")
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")
    if len(quoted) > _LONGEST_NAME:
        quoted = f"{quoted[:150]}~{sha256(id_.encode()).hexdigest()[:32]}"
    return quoted
