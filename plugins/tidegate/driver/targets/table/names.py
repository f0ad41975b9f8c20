"""Names, quoted where they become text: Spark takes a bare one apart at its dots."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def quoted(name: str) -> str:
    """Return a column's name, or a part of a table's, as Spark's parser takes it for one."""
    return "`" + name.replace("`", "``") + "`"


def quoted_table(name: str) -> str:
    """Return ``catalog.namespace.table`` with each part quoted, so that no word is reserved."""
    return ".".join(quoted(part) for part in name.split("."))


def column(name: str) -> Column:
    """Return the column of a frame that has this name, whatever is in it."""
    return F.col(quoted(name))
