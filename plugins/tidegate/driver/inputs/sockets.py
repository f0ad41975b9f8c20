"""A TCP port, as a stream of lines: received, spooled, and read from the spool."""

import socket
from functools import partial
from os.path import normpath
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from urllib.parse import unquote, urlsplit

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Input, SocketRead
from tidegate.driver.inputs.found import Found
from tidegate.driver.inputs.letters import BAD, PARSED, UNREADABLE, Letters, Span, parsed, reason
from tidegate.driver.inputs.spool import WHOLE, Spool
from tidegate.errors import ClusterUnavailable

_PATIENCE_SECONDS = 60.0
"""How long nobody may answer before the stream gives up."""
_CUT_SECONDS = 1.0
_PIECE = 64 * 1024
_MOST_FILES = "100"
"""In one micro-batch: a mark names them all."""


class Receiver(Thread):
    """Listens to a TCP server, and spools what it sends, from ``start`` to ``stop``."""

    def __init__(self, read: SocketRead) -> None:
        super().__init__(name=f"receive-{read.name}", daemon=True)
        self._read = read
        self._over = Event()
        self.failed: Exception | None = None

    def run(self) -> None:
        """Receive until it is told to stop; connect anew as often as the server closes."""
        try:
            self._receive(Spool(Path(self._read.folder)))
        except (OSError, ClusterUnavailable) as error:
            # The stream looks here: a thread's error is heard by nobody.
            self.failed = error

    def stop(self) -> None:
        """Hand on what has come, and listen no more."""
        self._over.set()
        self.join()

    def _receive(self, spool: Spool) -> None:
        try:
            while not self._over.is_set():
                with self._connected() as server:
                    self._take(server, spool)
                spool.end_line()
                self._over.wait(_CUT_SECONDS)  # who closes at once is not asked without end
        finally:
            spool.close()

    def _connected(self) -> socket.socket:
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                server = socket.create_connection(self._read.address, timeout=_CUT_SECONDS)
                server.settimeout(_CUT_SECONDS)
                return server
            except OSError as refused:
                if monotonic() > deadline:
                    raise ClusterUnavailable(
                        f"{self._read.source}: nobody has answered for {_PATIENCE_SECONDS:.0f} s"
                    ) from refused
            if self._over.wait(_CUT_SECONDS):
                return socket.socket()  # never connected: nothing comes of it

    def _take(self, server: socket.socket, spool: Spool) -> None:
        cut_at = monotonic()
        while not self._over.is_set():
            try:
                data = server.recv(_PIECE)
            except TimeoutError:
                data = None  # the server is silent: what has come is handed on
            except ConnectionError:
                data = b""  # it was killed or restarted: as if it had closed, and asked anew
            if data == b"":
                return
            spool.add(data or b"")
            if monotonic() - cut_at >= _CUT_SECONDS:
                spool.cut()
                cut_at = monotonic()


def open_socket(spark: SparkSession, read: SocketRead) -> Found:
    """Open a port: the columns of the schema; of ``raw``, the line as ``value``.

    Nothing is received yet.
    """
    Path(read.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    reader = spark.readStream.format("text").option("pathGlobFilter", f"*{WHOLE}")
    # Files that are on main are not needed any more.
    reader = reader.option("maxFilesPerTrigger", _MOST_FILES).option("cleanSource", "delete")
    lines = reader.load(f"file://{read.folder}").where("value != ''")
    seen = Input(name=read.name, source=read.source)
    state = f"stream {read.source}"
    receiver = Receiver(read)
    if read.format == "raw":
        return Found(lines, seen, state, feed=receiver)
    takes = partial(_is_of, read)
    metric = f"dead_{read.name}"
    letters = Letters(metric, takes, partial(_dead, spark, read))
    messages = parsed(lines, read.format, str(read.schema))
    newest = F.max(F.lit(None).cast("bigint")).alias("newest")
    counted = messages.observe(metric, F.count_if(BAD).alias("dead"), newest)
    good = counted.where(~F.col(BAD)).select(f"{PARSED}.*").drop(UNREADABLE)
    return Found(good, seen, state, letters, receiver)


def _is_of(read: SocketRead, span: Span) -> bool:
    """Tell whether files lie in the spool: other inputs of files have offsets of the same shape."""
    folders = {Path(file).parent for file in _files(span)}
    return folders == {Path(normpath(read.folder))}


def _files(span: Span) -> list[str]:
    """Return the paths of files that Spark has written down as addresses."""
    return [unquote(urlsplit(file).path) for file in span.files]


def _dead(spark: SparkSession, read: SocketRead, span: Span) -> DataFrame:
    """Return the dead letters among some files of the spool."""
    lines = spark.read.text([f"file://{file}" for file in _files(span)]).where("value != ''")
    bad = parsed(lines, read.format, str(read.schema)).where(BAD)
    return bad.select(
        F.lit(read.source).alias("source"),
        F.lit(None).cast("int").alias("partition"),
        F.lit(None).cast("bigint").alias("offset"),
        F.current_timestamp().alias("timestamp"),
        F.lit(None).cast("binary").alias("key"),
        F.col("value").cast("binary").alias("value"),
        reason(read.format).alias("reason"),
    )
