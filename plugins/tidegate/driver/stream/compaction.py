"""When a stream compacts what it wrote: between two micro-batches, after so many or so long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tidegate.contract import Stream
from tidegate.driver.jvm import is_down
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.table.stream import StreamTable

_LONGEST = 200


@dataclass(kw_only=True)
class Compaction:
    """Compacts the tables of a stream when it is time.

    :param tables: the stream's own, and that of its dead letters.
    :param say: takes a line for the task log.
    """

    spark: SparkSession
    stream: Stream
    tables: Sequence[StreamTable]
    say: Callable[[str], None]
    _since: tuple[int, float] | None = None

    def after(self, mark: Mark) -> None:
        """Compact behind a micro-batch, if it is time.

        :raises PublishError: if a newer attempt has fenced this one off.
        """
        if self.stream.compact is None or not self._is_due(mark):
            return
        # From here too where it fails: what is in its way may be so for a while.
        self._since = (mark.number, time())
        for table in self.tables:
            self._compact(table, mark)

    def _is_due(self, mark: Mark) -> bool:
        if self._since is None:
            self._since = self.tables[0].compacted_at(mark.query)
        number, at = self._since
        batches = self.stream.compact_batches
        if batches is not None:
            return mark.number - number >= batches
        return time() - at >= (self.stream.compact_seconds or 0)

    def _compact(self, table: StreamTable, mark: Mark) -> None:
        try:
            done = table.compact(mark)
        except (Py4JError, PySparkException) as error:
            # Readers lack nothing: it is no reason to end a stream.
            if is_down(self.spark):
                raise
            why = str(getattr(error, "java_exception", error)).splitlines()[0][:_LONGEST]
            self.say(f"compaction of {table.name}: skipped, and tried again later: {why}")
            return
        if done is not None:
            self.say(f"compaction of {table.name}: {done.before:,} files became {done.after:,}")
