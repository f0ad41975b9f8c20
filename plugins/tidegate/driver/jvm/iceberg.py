"""An Iceberg table's metadata, without a Spark job and without a wait."""

from gzip import decompress
from typing import Any

from pyspark.sql import SparkSession

from tidegate.driver.jvm import jvm_of


def metadata_version(table: Any) -> str:
    """Return what tells one version of Iceberg's own table from any other.

    Borrowed (``operations().current()``) because no public name does; without it, the same document
    is read again at every step. With the table's own id: a table that is dropped and made anew has
    files of the same names.
    """
    current = table.operations().current()
    return f"{current.uuid()} {current.metadataFileLocation()}"


def metadata_document(spark: SparkSession, table: Any) -> bytes:
    """Return the current metadata of Iceberg's own table as Iceberg's JSON.

    Borrowed (``TableMetadataParser``, ``JsonUtil``) because metadata tables cost a Spark job each;
    without it, reading the refs does. Compressed on its way: of an answer longer than py4j's buffer
    of 8 KiB, the second part waits 40 ms for the kernel's delayed acknowledgement of the first.
    """
    jvm = jvm_of(spark)
    sink = jvm.java.io.ByteArrayOutputStream()
    packed = jvm.java.util.zip.GZIPOutputStream(sink)
    generator = jvm.org.apache.iceberg.util.JsonUtil.factory().createGenerator(packed)
    jvm.org.apache.iceberg.TableMetadataParser.toJson(table.operations().current(), generator)
    generator.close()
    return decompress(sink.toByteArray())
