"""The checkpoint of a stream: Spark's own, trusted only as far as it agrees with main.

Spark writes the offsets of a micro-batch before the batch (``offsets/7``) and that it is done after
it (``commits/7``). Main knows what was published. Where they differ, main is right.
"""

import json
from dataclasses import dataclass
from functools import cached_property

from tidegate.driver.jvm.hadoop import Folder
from tidegate.driver.targets.mark import Mark

_VERSION = "v1"


@dataclass(frozen=True)
class Logged:
    """What Spark wrote down before a micro-batch: its times, and an offset an input."""

    times: str
    offsets: tuple[str, ...]

    def text(self) -> str:
        """Return it as Spark writes it."""
        return "\n".join((_VERSION, self.times, *self.offsets))


class Checkpoint:
    """A checkpoint's folder, in the format of Spark 3 and 4."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def uri(self) -> str:
        """Where it lies."""
        return self._folder.uri

    @property
    def query(self) -> str | None:
        """The id of the query whose checkpoint it is; None if there is none."""
        told = self._folder.read("metadata")
        if told is None:
            return None
        try:
            return str(json.loads(told)["id"])
        except (ValueError, KeyError, TypeError):  # damaged: of no query that is known
            return ""

    @cached_property
    def is_stateful(self) -> bool:
        """Whether the query keeps state in it; asked while it runs, and the same all through."""
        return bool(self._folder.names("state"))

    def logged(self, number: int) -> Logged | None:
        """Return the offsets of a micro-batch; None if they are not there, or damaged."""
        told = self._folder.read(f"offsets/{number}") or ""
        version, _, rest = told.partition("\n")
        times, *offsets = rest.splitlines() or [""]
        if version != _VERSION or not offsets:
            return None
        return Logged(times, tuple(offsets))

    def initial(self, inputs: int) -> tuple[str, ...]:
        """Return the offsets before the first micro-batch; ``-`` for an input that has none."""
        told = [self.source(place, "0") or "" for place in range(inputs)]
        # Kafka's source keeps where it began, behind a byte of zero.
        return tuple(_begun(each) for each in told)

    def source(self, place: int, name: str) -> str | None:
        """Return a file of the log that Spark keeps of an input, by the input's place."""
        return self._folder.read(f"sources/{place}/{name}")

    def disagreement(self, mark: Mark | None) -> str | None:
        """Return why this checkpoint does not fit what is on main; None if it does.

        :param mark: of the stream's last micro-batch on main.
        """
        query = self.query
        done = self._last("commits")
        if mark is None:
            return None if done is None else "main has no micro-batch of it"
        if query is None:
            return "there is none"
        if query != mark.query:
            return "it is of another query than the last micro-batch on main"
        if done is not None and done > mark.number:
            return f"it is at micro-batch {done}, main at {mark.number}: main was rolled back"
        return self._damage(mark)

    def _damage(self, mark: Mark) -> str | None:
        known = self._last("offsets")
        if known is None or known < mark.number:
            return f"it has no offsets of micro-batch {mark.number}, which is on main"
        if known > mark.number + 1:
            return f"it is at micro-batch {known}, main at {mark.number}: main was rolled back"
        # Spark looks at the last two.
        for number in sorted({known, max(known - 1, 0)}):
            if self.logged(number) is None:
                return f"its offsets of micro-batch {number} are damaged"
        found = self.logged(mark.number)
        if found is None or found.offsets != mark.end:
            return f"its offsets of micro-batch {mark.number} are not those on main"
        return None

    def start_anew(self, when: int) -> str | None:
        """Keep what is there under another name, which is returned."""
        return self._folder.move_aside(when)

    def begin(self, query: str) -> None:
        """Make a checkpoint of a query that has taken nothing yet."""
        self._folder.write("metadata", json.dumps({"id": query}))

    def seed(self, mark: Mark, sources: dict[int, str]) -> None:
        """Make a checkpoint that goes on after ``mark``.

        :param sources: the log of each input of files, by its place.
        """
        self.begin(mark.query)
        if mark.number:
            # Spark looks at the micro-batch before the last one too.
            before = Logged(mark.time, _renumbered(mark.start or mark.end, sources))
            self._folder.write(f"offsets/{mark.number - 1}", before.text())
        last = Logged(mark.time, _renumbered(mark.end, sources))
        for place, log in sources.items():
            self._folder.write(f"sources/{place}/0", log)
        self._folder.write(f"offsets/{mark.number}", last.text())
        watermark = json.loads(mark.time).get("batchWatermarkMs", 0)
        done = json.dumps({"nextBatchWatermarkMs": watermark})
        # Last: without it, the micro-batch is asked for again, and found on main.
        self._folder.write(f"commits/{mark.number}", f"{_VERSION}\n{done}")

    def _last(self, log: str) -> int | None:
        numbers = [int(name) for name in self._folder.names(log) if name.isdecimal()]
        return max(numbers, default=None)


def _renumbered(offsets: tuple[str, ...], sources: dict[int, str]) -> tuple[str, ...]:
    """Return offsets in which an input of files has one log, which holds all that was read."""
    told = []
    for place, offset in enumerate(offsets):
        told.append('{"logOffset":0}' if place in sources else offset)
    return tuple(told)


def _begun(log: str) -> str:
    if not log.startswith("\0"):
        return "-"
    return log.partition("\n")[2]
