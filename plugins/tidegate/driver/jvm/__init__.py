"""Every private name of PySpark, py4j and Iceberg's Java side that the driver borrows.

PySpark offers no public way to what a stage needs of the JVM. Each function says why its name is
borrowed and what is lost without it; ``tests/driver/test_borrowed.py`` touches every one of them.
What has a subject of its own lies beside: the plans of SQL, the catalogs' own ways to make tables.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import Column, DataFrame, SparkSession

from tidegate.rules import Fact

_LONGEST = 600
_LONGEST_PIECE = 100


def jvm_of(spark: SparkSession) -> Any:
    """Return the driver's JVM.

    Borrowed (``_jvm``) because Iceberg, GraphX and Hadoop have no Python side; without it, none.
    """
    return spark.sparkContext._jvm


def java_session(spark: SparkSession) -> Any:
    """Return the JVM's session.

    Borrowed (``_jsparkSession``) because Iceberg loads tables by it; without it, no publish.
    """
    return spark._jsparkSession


def java_frame(frame: DataFrame) -> Any:
    """Return the JVM's frame.

    Borrowed (``_jdf``) because GraphX takes JVM RDDs; without it, rows would pass through Python.
    """
    return frame._jdf


def rdd_of(frame: DataFrame, encoder: Any = None) -> Any:
    """Return a frame's JVM RDD: of rows, or of what ``encoder`` makes of them.

    Borrowed (``_jdf``'s ``as``) because GraphX takes RDDs of Scala tuples; without it, none.
    """
    java = java_frame(frame)
    if encoder is not None:
        java = getattr(java, "as")(encoder)  # a keyword of Python
    return java.rdd()


def frame_of(spark: SparkSession, rdd: Any, encoder: Any) -> DataFrame:
    """Return the frame of a JVM RDD.

    Borrowed (``_jsparkSession``) because PySpark's own ``createDataFrame`` takes Python's RDDs
    alone; without it, every row of a graph's result would pass through Python.
    """
    return DataFrame(java_session(spark).createDataset(rdd, encoder).toDF(), spark)


def local_texts(spark: SparkSession, texts: Sequence[str | None]) -> DataFrame:
    """Return a frame of one column of text, which Spark looks at without a job.

    Borrowed (``createDataset``, Jackson) because PySpark's own ``createDataFrame`` makes an RDD of
    what it is given, unless pyarrow is there; without it, to look at a few values costs a job.
    """
    jvm = jvm_of(spark)
    kind = jvm.java.lang.Class.forName("java.util.ArrayList")
    # One call, not one a text.
    told = jvm.com.fasterxml.jackson.databind.ObjectMapper().readValue(json.dumps(texts), kind)
    frame = java_session(spark).createDataset(told, jvm.org.apache.spark.sql.Encoders.STRING())
    return DataFrame(frame.toDF(), spark)


def row_encoder(frame: DataFrame) -> Any:
    """Return the encoder of a frame's rows.

    Borrowed (``_jdf``'s ``schema``) because an encoder wants the JVM's schema; without it, a row
    could not be zipped with its number.
    """
    encoders = jvm_of(frame.sparkSession).org.apache.spark.sql.Encoders
    return encoders.row(java_frame(frame).schema())


def hops_encoder(spark: SparkSession) -> Any:
    """Return the encoder of Scala's map of long to int.

    Borrowed (Catalyst's ``MapEncoder``) because ``Encoders`` has none for maps; without it, no
    shortest paths.
    """
    jvm = jvm_of(spark)
    scala_map = jvm.java.lang.Class.forName("scala.collection.Map")
    tag = jvm.scala.reflect.ClassTag.apply(scala_map)
    encoders = jvm.org.apache.spark.sql.Encoders
    map_encoder = getattr(jvm.org.apache.spark.sql.catalyst.encoders, "AgnosticEncoders$MapEncoder")
    return map_encoder(tag, encoders.scalaLong(), encoders.scalaInt(), False)


def iceberg_table(spark: SparkSession, name: str) -> Any:
    """Return Iceberg's own table, refreshed.

    Borrowed (``Spark3Util``) because no SQL commits several changes of refs at once; without it,
    publish is not one commit.
    """
    spark3 = jvm_of(spark).org.apache.iceberg.spark.Spark3Util
    table = spark3.loadIcebergTable(java_session(spark), name)
    table.refresh()
    return table


def added_files(
    spark: SparkSession, name: str, snapshot: int, most: int
) -> tuple[str, Iterator[str]] | None:
    """Return the schema of an Iceberg table and the data files that a snapshot added, as JSON.

    None if there are more than ``most``, or if it deleted rows beside the files. Borrowed
    (``addedDataFiles``, ``ContentFileParser``) because Spark's metadata tables cost a job each;
    without it, every gate costs a query.
    """
    table = iceberg_table(spark, name)
    found = table.snapshot(snapshot)
    summary = found.summary()
    added = int(summary.getOrDefault("added-data-files", "0"))
    if added > most or summary.getOrDefault("added-delete-files", "0") != "0":
        return None
    return _schema(spark, table), _as_json(spark, table, found.addedDataFiles(table.io()))


def live_files(
    spark: SparkSession, name: str, snapshot: int, most: int
) -> tuple[str, Iterator[str]] | None:
    """Return the schema of an Iceberg table and all data files of a snapshot, as JSON.

    None if there are more than ``most``, or if any has deletes. Borrowed (``planFiles``) for the
    reason of :func:`added_files`.
    """
    table = iceberg_table(spark, name)
    summary = table.snapshot(snapshot).summary()
    files = int(summary.getOrDefault("total-data-files", str(most + 1)))
    if files > most or summary.getOrDefault("total-delete-files", "1") != "0":
        return None
    tasks = table.newScan().useSnapshot(snapshot).includeColumnStats().planFiles()
    return _schema(spark, table), _as_json(spark, table, (task.file() for task in _each(tasks)))


def _schema(spark: SparkSession, table: Any) -> str:
    text: str = jvm_of(spark).org.apache.iceberg.SchemaParser.toJson(table.schema())
    return text


def _as_json(spark: SparkSession, table: Any, files: Any) -> Iterator[str]:
    parser = jvm_of(spark).org.apache.iceberg.ContentFileParser
    specs = table.specs()
    for file in files if isinstance(files, Iterator) else _each(files):
        yield parser.toJson(file, specs.get(file.specId()))


def _each(iterable: Any) -> Iterator[Any]:
    at = iterable.iterator()
    while at.hasNext():
        yield at.next()


def current_snapshot(spark: SparkSession, name: str) -> int | None:
    """Return the snapshot that readers of an Iceberg table see; None before the first."""
    snapshot = iceberg_table(spark, name).currentSnapshot()
    if snapshot is None:
        return None
    return int(snapshot.snapshotId())


def start_jvm() -> None:
    """Start the JVM.

    Borrowed (``_ensure_initialized``) because ``SparkConf`` knows nothing of what spark-submit was
    told before the JVM is there; without it, relative warehouses stay relative.
    """
    SparkContext._ensure_initialized()


def is_down(spark: SparkSession) -> bool:
    """Tell whether Spark has been stopped or its JVM is gone.

    Borrowed (``_jsc``) because PySpark's own context does not know; without it, a crash of the
    machinery would be taken for a verdict.
    """
    context = spark.sparkContext._jsc
    try:
        return context is None or bool(context.sc().isStopped())
    except (Py4JError, OSError):  # nobody answers: it is down
        return True


def java_causes(error: BaseException, spark: SparkSession | None) -> Iterator[Fact]:
    """Yield the Java causes of ``error``, outermost first, with Spark's condition where it has one.

    Borrowed (``java_exception``, ``_origin``) because PySpark's exceptions tell the outermost cause
    alone, which is often generic; without it, most failures are a ``JobError``.
    """
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None or spark is None:
        return
    try:
        throwable = jvm_of(spark).java.lang.Class.forName("org.apache.spark.SparkThrowable")
        while java is not None:
            yield _fact(java, bool(throwable.isInstance(java)))
            java = java.getCause()
    except (Py4JError, OSError):  # the JVM is gone: what was read so far has to do
        return


def _fact(java: Any, conditioned: bool) -> Fact:
    message = str(java.getMessage() or "")
    lines = message.strip().splitlines()
    text = lines[0] if lines else message[:_LONGEST]
    name = java.getClass().getName().rpartition(".")[2]
    condition = java.getCondition() if conditioned else None
    if not condition:
        return Fact(name, text)
    return Fact(name, text, condition, java.getSqlState(), _place(lines))


def _place(lines: list[str]) -> str:
    """Return the piece of a query that Spark quotes under the line with what is wrong."""
    for header, piece in pairwise(lines):
        if header.startswith("== SQL"):
            return piece.strip()[:_LONGEST_PIECE]
    return ""


def status_store(context: SparkContext) -> Any:
    """Return what Spark's own UI reads.

    Borrowed (``_jsc.sc().statusStore``) because PySpark's status tracker has no bytes; without it,
    the report has no measures.
    """
    return context._jsc.sc().statusStore()


def stages_of(context: SparkContext, store: Any) -> list[Any]:
    """Return the data of every Spark stage in :func:`status_store`'s store."""
    none = _doubles(context)
    listed = store.stageList(None, False, False, none, None)
    return [listed.apply(index) for index in range(listed.size())]


def run_times(context: SparkContext, store: Any, stage: Any) -> tuple[float, float] | None:
    """Return the median and the longest run time (ms) of a Spark stage's tasks, if it has any."""
    quantiles = _doubles(context, 0.5, 1.0)
    found = store.taskSummary(stage.stageId(), stage.attemptId(), quantiles)
    if not found.isDefined():
        return None
    run_time = found.get().executorRunTime()
    return float(run_time.apply(0)), float(run_time.apply(1))


def _doubles(context: SparkContext, *values: float) -> Any:
    # Borrowed (`_gateway`) because py4j hands over no Python list where Java wants an array.
    gateway: Any = context._gateway
    array = gateway.new_array(gateway.jvm.double, len(values))
    for place, value in enumerate(values):
        array[place] = value
    return array


def call_behind(column: Any) -> Any:
    """Return the JVM's unresolved function call that a column is, or nothing if it is no call.

    Borrowed (``_jc.node``) because a column does not tell its parts; without it, no condition can
    be moved into an aggregate.
    """
    node = column._jc.node()
    return node if node.getClass().getSimpleName() == "UnresolvedFunction" else None


def column_of(spark: SparkSession, node: Any) -> Column:
    """Return the column of a part of :func:`call_behind`'s call, for the same reason."""
    return Column(jvm_of(spark).org.apache.spark.sql.Column(node))
