"""Tables and queries of a database, by JDBC: they have no snapshot."""

import re
from datetime import UTC, datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tidegate.contract import Input, JdbcRead, digest, password_key
from tidegate.driver.diagnose import chain_of, decisive_of
from tidegate.driver.inputs.found import Found
from tidegate.errors import ClusterUnavailable, DataError, SpecError, TidegateError
from tidegate.failures import rule_of

_NO_DRIVER = re.compile(r"ClassNotFoundException|No suitable driver")
_REFUSED = re.compile(r"authentication failed|Access denied for user|Login failed for user", re.I)


def open_jdbc(spark: SparkSession, read: JdbcRead) -> Found:
    """Open a table or a query, as the database answers when the job asks.

    :raises SpecError: if Spark has no driver for it, or the database refuses the user.
    :raises ClusterUnavailable: if the database does not answer.
    :raises DataError: if there is no such table, or the query is none.
    """
    try:
        frame = spark.read.format("jdbc").options(**_options(spark, read)).load()
    except (Py4JJavaError, PySparkException) as error:
        raise _meaning(error, read, spark) from error
    opened = datetime.now(UTC).isoformat(timespec="seconds")
    seen = Input(name=read.name, source=read.source, state=f"no snapshot; opened {opened}")
    # What was read cannot be named, so a retry of the same run is held for the same work: what it
    # finds judged, it publishes. A retry that has to read, reads anew.
    return Found(frame, seen, f"{read.source}@{digest([read.table, read.query])}")


def _options(spark: SparkSession, read: JdbcRead) -> dict[str, str]:
    table = read.table
    if table is None:
        # Spark takes its own option `query` in no other company than a single partition's.
        table = f"({str(read.query).strip().rstrip(';')}) tidegate_query"
    options = {**read.options, "url": read.url, "dbtable": table, "user": read.user}
    options["password"] = spark.conf.get(password_key(read.jdbc), "") or ""
    options["driver"] = read.driver
    if read.partition_column:
        low, high = read.bounds
        options["partitionColumn"] = read.partition_column
        options["lowerBound"] = low
        options["upperBound"] = high
        options["numPartitions"] = str(read.partitions)
    return dict(filter(_is_given, options.items()))


def _is_given(option: tuple[str, str]) -> bool:
    return option[1] != ""


def _meaning(error: Exception, read: JdbcRead, spark: SparkSession) -> TidegateError:
    chain = chain_of(error, spark)
    text = "\n".join(f"{fact.name}: {fact.text}" for fact in chain)
    where = f"input {read.name!r}, connection {read.jdbc!r}"
    if _NO_DRIVER.search(text):
        return SpecError(
            f"{where}: Spark has no JDBC driver for {read.url.partition('//')[0]} add its package "
            "to spark.jars.packages in conf/spark-defaults.conf, for PostgreSQL "
            "org.postgresql:postgresql:42.7.13",
            quote="",
        )
    first = chain[-1].text.partition("\n")[0]
    if _REFUSED.search(text):
        return SpecError(f"{where}: the database refuses its user or password", quote=first)
    rule = rule_of(chain, decisive_of(chain))
    if rule is not None and rule.error is ClusterUnavailable:
        return ClusterUnavailable(f"{where}: the database did not answer", quote=first)
    return DataError(f"{where}: cannot read {read.table or 'the query'}", quote=first)
