"""Attempts' files where all machines reach them, by Airflow's object storage and its connection."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tidegate.errors import SpecError, require
from tidegate.store import LONGEST

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_AIRFLOWS = {"s3a": "s3"}
"""What Airflow calls a scheme of Hadoop's."""
_HADOOPS = {"s3": "s3a"}
_WHOLE_AT_ONCE = frozenset({"s3", "s3a", "gs"})
"""Where an object is there when all of it is, and a rename would copy it."""


@dataclass(frozen=True)
class Place:
    """A root in an object store or HDFS; a :class:`~tidegate.store.Shared`.

    :param scheme: as Hadoop has it.
    :param where: authority and path, without whoever reads there.
    :param conn_id: Airflow's connection; empty for none.
    """

    scheme: str
    where: str
    conn_id: str

    @classmethod
    def of(cls, uri: str) -> "Place":
        """Return the place that ``scheme://connection@authority/path`` names, as Airflow has it.

        :raises SpecError: if it holds a password.
        """
        parts = urlsplit(uri)
        user, _, where = f"{parts.netloc}{parts.path}".rpartition("@")
        require(
            ":" not in user and not parts.query,
            "[tidegate] reports_dir holds credentials: name an Airflow connection before the '@', "
            "which has them (s3a://my_connection@bucket/folder)",
        )
        return cls(_HADOOPS.get(parts.scheme, parts.scheme), where.rstrip("/"), user)

    def files(self, place: str) -> "ObjectFiles":
        """Return the files of the attempt at a path below the root."""
        return ObjectFiles(Place(self.scheme, f"{self.where}/{place}", self.conn_id))


@dataclass(frozen=True)
class ObjectFiles:
    """The files of one attempt; a :class:`~tidegate.store.Files`."""

    place: Place

    @property
    def uri(self) -> str:
        """The folder's address, as Hadoop has it; nobody's connection is in it."""
        return f"{self.place.scheme}://{self.place.where}"

    def read(self, name: str) -> str:
        """Return a file's text.

        :raises OSError: if it is not there, or cannot be read.
        :raises ValueError: if it is larger than any report, or no UTF-8.
        """
        path = self._path(name)
        with _failures():
            found = bytes(path.fs.cat_file(path.path, end=LONGEST + 1))
        if len(found) > LONGEST:
            raise ValueError(f"{name} is longer than {LONGEST:,} bytes")
        return found.decode("utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all.

        :raises OSError: if it cannot be written.
        """
        path = self._path(name)
        if self.place.scheme in _WHOLE_AT_ONCE:
            with _failures():
                path.write_bytes(text.encode())
            return
        aside = self._path(f".{name}.{token_hex(4)}")
        with _failures():
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(text.encode())
            if path.exists():
                path.unlink()
            path.fs.mv(aside.path, path.path)

    def discard(self, folder: str) -> None:
        """Remove a folder with all that is in it, as far as it can be removed."""
        path = self._path(folder)
        with suppress(OSError), _failures():
            path.fs.rm(path.path, recursive=True)

    def _path(self, name: str) -> "ObjectStoragePath":
        from airflow.sdk import ObjectStoragePath

        scheme = _AIRFLOWS.get(self.place.scheme, self.place.scheme)
        address = f"{scheme}://{self.place.where}/{name}"
        try:
            path = ObjectStoragePath(address, conn_id=self.place.conn_id or None)
            _ = path.fs  # which finds out whether there is one
        except (ImportError, ValueError) as unknown:
            raise SpecError(
                f"[tidegate] reports_dir: Airflow's object storage has no {scheme!r}: {unknown}; "
                "install the provider that brings it"
            ) from unknown
        return path


@contextmanager
def _failures() -> Iterator[None]:
    """Raise as OSError what fsspec raises of HDFS's own: a NameNode that is on standby, or starts.

    :raises OSError: in its place.
    """
    try:
        yield
    except RuntimeError as refused:
        raise OSError(str(refused)) from refused
