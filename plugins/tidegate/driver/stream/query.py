"""Spark's streaming query: started, watched, and ended between two micro-batches."""

from time import monotonic

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from tidegate.contract import Stream
from tidegate.driver.stream.batches import Batches
from tidegate.driver.stream.kafka import is_restart_fault
from tidegate.driver.stream.watch import Watch
from tidegate.errors import SpecError

_LOOK_SECONDS = 1


def run_query(frame: DataFrame, stream: Stream, batches: Batches, watch: Watch, mode: str) -> None:
    """Run the query until all has been taken, its time is over, or a gate closes.

    :param watch: looks about once a second, and once at the end.
    :param mode: Spark's output mode: ``append`` or ``update``.
    :raises SpecError: if the job returned no streaming frame.
    :raises Exception: what a micro-batch raised.
    """
    if not frame.isStreaming:
        raise SpecError(
            "run() returned a frame that is no stream; build it on an input that is one, and leave "
            "out what ends it (collect, toPandas, a read of its own)"
        )
    deadline = monotonic() + (stream.seconds or float("inf"))
    writer = _triggered(frame.writeStream.outputMode(mode), stream, batches)
    try:
        _follow(writer.start(), deadline, batches, watch)
    except StreamingQueryException as error:
        if not is_restart_fault(error, frame.sparkSession):
            raise
        # The micro-batch that it had begun before is settled and noted: now it goes on.
        _follow(writer.start(), deadline, batches, watch)


def _follow(query: StreamingQuery, deadline: float, batches: Batches, watch: Watch) -> None:
    try:
        while not query.awaitTermination(_LOOK_SECONDS):
            watch.look(query)
            watch.tell(batches.flow)
            watch.check()
            if monotonic() >= deadline:
                break
    except StreamingQueryException:
        if batches.failed is not None:
            raise batches.failed from None
        if not batches.is_over:
            raise
    finally:
        if query.isActive:
            # No micro-batch is at work any more: an interrupt meets no commit.
            batches.stop()
        query.stop()
        watch.look(query)
        watch.tell(batches.flow)


def _triggered(writer: DataStreamWriter, stream: Stream, batches: Batches) -> DataStreamWriter:
    writer = writer.foreachBatch(batches.take)
    writer = writer.option("checkpointLocation", batches.checkpoint.uri)
    if stream.every is None:
        return writer.trigger(availableNow=True)
    return writer.trigger(processingTime=stream.every)
