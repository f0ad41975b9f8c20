"""The dictionaries of Parquet's columns: all values that a column has, without its rows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from gzip import decompress
from time import monotonic
from typing import Any

from pyspark.sql import SparkSession

from tidegate.driver.jvm import java_session, jvm_of


def dictionaries(
    spark: SparkSession, paths: Iterable[str], columns: Iterable[int], seconds: float
) -> Mapping[int, list[bytes]]:
    """Return the pages of the dictionaries of some columns, by the number of the column.

    A column is left out unless its every value is in a dictionary; all are if it takes longer.
    Borrowed (``ParquetFileReader``, of Spark's own jars) because Python's readers give no
    dictionary; without it, each row of a column of text is looked at.

    :param columns: their field ids.
    :raises Py4JError: if Hadoop cannot read a file.
    """
    wanted = set(columns)
    jvm = jvm_of(spark)
    sink = jvm.java.io.ByteArrayOutputStream()
    # Together and compressed, for the reason of :func:`~.jvm.iceberg.metadata_document`.
    packed = jvm.java.util.zip.GZIPOutputStream(sink)
    sizes: list[tuple[int, int]] = []
    until = monotonic() + seconds
    conf = java_session(spark).sessionState().newHadoopConf()
    for path in paths:
        if not wanted or monotonic() > until:
            return {}
        with _reader(jvm, path, conf) as reader:
            for number, page in _pages(reader, wanted):
                page.getBytes().writeAllTo(packed)
                sizes.append((number, page.getUncompressedSize()))
    packed.close()
    return _parted(decompress(sink.toByteArray()), sizes, wanted)


@contextmanager
def _reader(jvm: Any, path: str, conf: Any) -> Iterator[Any]:
    hadoop = jvm.org.apache.parquet.hadoop
    at = jvm.org.apache.hadoop.fs.Path(path)
    reader = hadoop.ParquetFileReader.open(hadoop.util.HadoopInputFile.fromPath(at, conf))
    try:
        yield reader
    finally:
        reader.close()


def _pages(reader: Any, wanted: set[int]) -> Iterator[tuple[int, Any]]:
    """Yield the dictionaries of a file; take out of ``wanted`` what has values beside them."""
    footer = reader.getFooter()
    schema = footer.getFileMetaData().getSchema()
    for block in footer.getBlocks():
        dictionaries = reader.getDictionaryReader(block)
        for chunk in block.getColumns():
            number = _number(chunk)
            if number not in wanted:
                continue
            if _is_whole(chunk.getEncodingStats()):
                column = schema.getColumnDescription(chunk.getPath().toArray())
                yield number, dictionaries.readDictionaryPage(column)
            else:
                wanted.remove(number)


def _number(chunk: Any) -> int | None:
    id_ = chunk.getPrimitiveType().getId()
    return id_ and int(id_.intValue())


def _is_whole(stats: Any) -> bool:
    """Tell whether a column has no page but such as name values of its dictionary."""
    known = stats is not None and stats.hasDictionaryPages()
    return bool(known and not stats.hasNonDictionaryEncodedPages())


def _parted(
    text: bytes, sizes: Iterable[tuple[int, int]], wanted: set[int]
) -> Mapping[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    at = 0
    for number, size in sizes:
        found[number].append(text[at : at + size])
        at += size
    return {number: found[number] for number in wanted}
