"""One attempt of a stream: fenced, its checkpoint held against main, and run to its end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import time
from uuid import NAMESPACE_OID, uuid5

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Flow, KafkaRead, Output, PathRead, Read, StageSpec, Stream
from tidegate.contract.feeds import SECURED
from tidegate.driver.gate import Gate
from tidegate.driver.inputs.found import Feed
from tidegate.driver.jvm.hadoop import Folder
from tidegate.driver.record import Record
from tidegate.driver.stream.batches import Batches
from tidegate.driver.stream.checkpoint import Checkpoint
from tidegate.driver.stream.compaction import Compaction
from tidegate.driver.stream.kafka import meaning
from tidegate.driver.stream.letters import DeadLetters
from tidegate.driver.stream.query import run_query
from tidegate.driver.stream.seen import Files, logs
from tidegate.driver.stream.watch import Watch
from tidegate.driver.targets.mark import Mark
from tidegate.driver.targets.settle import Settled
from tidegate.driver.targets.table.stream import StreamTable
from tidegate.driver.targets.table.target import frame_of
from tidegate.errors import DataError

START_OVER = "start_over"
"""The param by which a run asks for it."""
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
    letters: DeadLetters
    feeds: tuple[Feed, ...] = ()

    def settle(self, output: object) -> Settled:
        """Settle all that has arrived, micro-batch by micro-batch.

        :param output: what the job made of its streams.
        :raises TidegateError: as the steps do.
        """
        frame = frame_of(output, self.spec)
        with self.record.step("fence"):
            self.table.begin(frame)
            self.letters.begin()
        before = self.table.main()
        with self.record.step("checkpoint"):
            batches = self._batches()
        watch = Watch(self.record.channel.say, self.feeds)
        try:
            watch.start()
            run_query(frame, self._stream, batches, watch, self.spec.mode)
        except (PySparkException, Py4JError) as error:
            sources = ", ".join(read.source for read in self._streams)
            known = meaning(error, self.spark, sources)
            if known is None:
                raise
            raise known from error
        finally:
            watch.stop()
            self.record.flow = watch.whole(batches.flow)
        return self._settled(batches, before)

    @property
    def _stream(self) -> Stream:
        return self.spec.stream or Stream()

    @property
    def _streams(self) -> list[Read]:
        return list(filter(_is_stream, self.spec.reads))

    def _batches(self) -> Batches:
        marks = list(self.table.marks())
        checkpoint = Checkpoint(Folder(self.spark, self._checkpoint_uri()))
        if self.spec.params.get(START_OVER) is True:
            marks = self._over(checkpoint, marks)
        last = marks[0] if marks else None
        why = checkpoint.disagreement(last)
        if why is not None:
            self._rebuild(checkpoint, marks, why)
        return Batches(
            table=self.table,
            letters=self.letters,
            gate=self.gate,
            record=self.record,
            checkpoint=checkpoint,
            compaction=self._compaction(),
            last=last,
            flow=Flow(query="", rebuilt=why),
            events=self._stream.asset_events == "batch",
        )

    def _compaction(self) -> Compaction:
        tables = [self.table]
        if self.letters.may_come:
            tables.append(self.letters.table)
        return Compaction(
            spark=self.spark, stream=self._stream, tables=tables, say=self.record.channel.say
        )

    def _over(self, checkpoint: Checkpoint, marks: list[Mark]) -> list[Mark]:
        """Start over, once a run: what main has of this stream is passed over from now on."""
        attempt = self.spec.attempt
        work = f"{self.spec.key} {attempt.run_id} {attempt.generation}"
        query = str(uuid5(NAMESPACE_OID, work))
        if marks and marks[0].query == query:
            return marks  # an earlier try of this run has
        checkpoint.start_anew(int(time() * 1000))
        checkpoint.begin(query)
        self.record.channel.say(
            "start_over: reads from where a first run would; what is on main stays there, and what "
            "is read again is there twice"
        )
        return []

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
        streams = self._streams
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
            self._end()
            return Settled(outcome="published", output=output)
        if settled.outcome == "held":
            return settled
        self._end()
        output = replace(settled.output, rows=batches.flow.rows, previous=before)
        return replace(settled, output=output)

    def _end(self) -> None:
        self.table.end()
        self.letters.end()


def bounded(spec: StageSpec) -> tuple[Read, ...]:
    """Return what is read: of each stream, so many messages (files) a micro-batch at most."""
    return tuple(_secured(_bounded(read, spec), spec) for read in spec.reads)


def only_source(reads: Sequence[Read]) -> str | None:
    """Return what the messages of a stream come from; None if that is more than one thing."""
    streams = list(filter(_is_stream, reads))
    if len(streams) != 1:
        return None
    (only,) = streams
    if not isinstance(only, KafkaRead):
        return only.source
    if only.pattern or len(only.topics) > 1:
        return None
    return only.kafka


def _bounded(read: Read, spec: StageSpec) -> Read:
    if spec.stream and isinstance(read, PathRead | KafkaRead):
        return read.bounded(spec.stream.max_per_batch)
    return read


def _secured(read: Read, spec: StageSpec) -> Read:
    """Return a read with the options that its connection gave, which lie in the spec's conf."""
    if not isinstance(read, KafkaRead):
        return read
    begin = f"{SECURED}{read.name}."
    named = [key for key in spec.conf if key.startswith(begin)]
    return read.with_secrets({key.removeprefix(begin): spec.conf[key] for key in named})


def _is_stream(read: Read) -> bool:
    return bool(getattr(read, "stream", False))
