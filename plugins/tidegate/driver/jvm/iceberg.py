"""An Iceberg table's metadata, without a Spark job and without a wait."""

from gzip import decompress
from typing import Any

from pyspark.sql import SparkSession

from tidegate.driver.jvm import jvm_of


def metadata_location(table: Any) -> str | None:
    """Return where the current metadata of Iceberg's own table lies; None if nobody says.

    Borrowed (``operations().current()``) because no public name tells one version of a table from
    another; without it, the same document is read again at every step.
    """
    location: str | None = table.operations().current().metadataFileLocation()
    return location


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
