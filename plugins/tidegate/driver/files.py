"""Where a driver leaves its attempt's files: in a folder, or where all machines reach it."""

from collections.abc import Mapping
from typing import Protocol

from py4j.protocol import Py4JError

from tidegate.contract import StageSpec
from tidegate.driver.jvm.hadoop import put
from tidegate.store import AttemptFiles


class Left(Protocol):
    """Files as a driver leaves them."""

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all.

        :raises OSError: if it cannot be written.
        """

    def append(self, name: str, line: str) -> None:
        """Add one line to a file.

        :raises OSError: if it cannot be written.
        """


def files_of(spec: StageSpec) -> Left:
    """Return the files of a spec's attempt, where its folder is."""
    scheme, _, _ = spec.folder.rpartition("://")
    if scheme in ("", "file"):
        return AttemptFiles(spec.folder)
    return HadoopFiles(spec.folder, spec.conf)


class HadoopFiles:
    """Files on any file system that Hadoop has.

    Few of those can add to a file: one that grows is written anew each time; it is small.

    :param conf: secret conf, which may hold what opens the place.
    """

    def __init__(self, uri: str, conf: Mapping[str, str]) -> None:
        self._uri = uri
        self._conf = conf
        self._lines: dict[str, list[str]] = {}

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all.

        :raises OSError: if it cannot be written.
        """
        try:
            put(f"{self._uri}/{name}", text, self._conf)
        except Py4JError as failed:
            raise OSError(f"{name} cannot be written to {self._uri}") from failed

    def append(self, name: str, line: str) -> None:
        """Add one line to a file.

        :raises OSError: if it cannot be written.
        """
        lines = self._lines.setdefault(name, [])
        lines.append(line)
        self.write(name, "".join(f"{each}\n" for each in lines))
