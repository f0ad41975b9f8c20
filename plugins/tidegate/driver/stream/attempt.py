"""One attempt of a stream: fenced, its checkpoint held against main, and run to its end."""

from dataclasses import dataclass, replace
from time import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Flow, Output, PathRead, Read, StageSpec, Stream
from tidegate.driver.gate import Gate
from tidegate.driver.jvm.hadoop import Folder
from tidegate.driver.record import Record
from tidegate.driver.stream.batches import Batches
from tidegate.driver.stream.checkpoint import Checkpoint
from tidegate.driver.stream.query import run_query
from tidegate.driver.stream.seen import Files, logs
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.settle import Settled
from tidegate.driver.targets.table.stream import StreamTable
from tidegate.errors import DataError, SpecError

CHECKPOINTS = "spark.sql.streaming.checkpointLocation"
"""Spark's own setting for where checkpoints lie."""


@dataclass(frozen=True, kw_only=True)
class StreamAttempt:
    """What one attempt of a stream works with."""

    spec: StageSpec
    spark: SparkSession
    record: Record
    gate: Gate
    table: StreamTable

    def settle(self, output: object) -> Settled:
        """Settle all that has arrived, micro-batch by micro-batch.

        :param output: what the job made of its streams.
        :raises TidegateError: as the steps do.
        """
        frame = _streaming(output)
        with self.record.step("fence"):
            self.table.begin(frame)
        before = self.table.main()
        with self.record.step("checkpoint"):
            batches = self._batches()
        try:
            run_query(frame, self._stream, batches, lambda query: None)
        finally:
            self.record.flow = batches.flow
        return self._settled(batches, before)

    @property
    def _stream(self) -> Stream:
        return self.spec.stream or Stream()

    def _batches(self) -> Batches:
        marks = list(self.table.marks())
        last = marks[0] if marks else None
        checkpoint = Checkpoint(Folder(self.spark, self._checkpoint_uri()))
        why = checkpoint.disagreement(last)
        if why is not None:
            self._rebuild(checkpoint, marks, why)
        return Batches(
            table=self.table,
            gate=self.gate,
            record=self.record,
            checkpoint=checkpoint,
            last=last,
            flow=Flow(query="", rebuilt=why),
        )

    def _checkpoint_uri(self) -> str:
        """Return where the checkpoint lies: beside the table, which every attempt can reach."""
        key = self.table.fenced.place.branch.key
        root = self.spark.conf.get(CHECKPOINTS, None)
        if root:
            return f"{root.rstrip('/')}/{key}"
        # Not below the table's own folder, where Iceberg's maintenance removes what it does not
        # know.
        return f"{self.table.location.rstrip('/')}__streams/{key}"

    def _rebuild(self, checkpoint: Checkpoint, marks: list[Mark], why: str) -> None:
        say = self.record.channel.say
        if marks and marks[0].stateful:
            raise DataError(
                f"checkpoint {checkpoint.uri}: {why}; it held the state of this stream (windows, "
                "keys seen), which the offsets on main cannot bring back. Restore the folder"
            )
        kept = checkpoint.start_anew(int(time() * 1000))
        at = "from the beginning: main has no micro-batch of this stream"
        if marks:
            at = f"from the offsets on main, after micro-batch {marks[0].number}"
            checkpoint.seed(marks[0], logs(marks, self._listed()))
        say(f"checkpoint: {why}; made anew {at}")
        if kept:
            say(f"checkpoint: what was there is kept at {kept}")

    def _listed(self) -> dict[int, Files]:
        """Return the files that are there, of the only input that is a stream of files."""
        streams = [read for read in self.spec.reads if _is_stream(read)]
        if len(streams) != 1 or not isinstance(streams[0], PathRead):
            return {}
        found = self.spark.read.format("binaryFile").load(streams[0].path)
        # Spark's own log of a stream names a local file with three slashes, its readers with one.
        address = F.regexp_replace("_metadata.file_path", "^file:/(?!/)", "file:///")
        changed = F.unix_millis("_metadata.file_modification_time")
        return {0: [(file, ms) for file, ms in found.select(address, changed).collect()]}

    def _settled(self, batches: Batches, before: int | None) -> Settled:
        settled = batches.settled
        if settled is None:
            output = Output(
                target=self.spec.target, rows=0, version=before, note="nothing new had arrived"
            )
            self.table.end()
            return Settled(outcome="published", output=output)
        if settled.outcome == "held":
            return settled
        self.table.end()
        output = replace(settled.output, rows=batches.flow.rows, previous=before)
        return replace(settled, output=output)


def bounded(spec: StageSpec) -> tuple[Read, ...]:
    """Return what is read, with at most so many messages (files) a micro-batch of each stream."""
    most = spec.stream.max_per_batch if spec.stream else None
    return tuple(_bounded(read, most) for read in spec.reads)


def _bounded(read: Read, most: int | None) -> Read:
    if most is None or not isinstance(read, PathRead) or not read.stream:
        return read
    return replace(read, options={**read.options, "maxFilesPerTrigger": str(most)})


def _is_stream(read: Read) -> bool:
    return bool(getattr(read, "stream", False))


def _streaming(output: object) -> DataFrame:
    if not isinstance(output, DataFrame):
        given = type(output).__name__
        raise SpecError(f"run() returned {given}; return a pyspark DataFrame")
    return output
