"""The sql kind: a ``.sql`` file whose last statement is the output.

It sees its inputs as views, and its values as parameter markers.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.errors import ParseException
from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.jvm import command_class, parsed_nodes
from tidegate.errors import SpecError

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;|[^'"`;/-]+|.""", re.S
)
_PREPARES = re.compile(
    r"(CREATE\s+(OR\s+REPLACE\s+)?TEMP(ORARY)?\s+(VIEW|FUNCTION)|DECLARE|SET|CACHE)\b", re.I
)
_WRITES = {"InsertIntoStatement", "InsertIntoDir", "OverwriteByExpression", "AppendData"}
_SCALAR = (str, int, float, bool, type(None))


def statements(text: str) -> list[str]:
    """Split SQL text at its semicolons, leaving those in strings, names and comments alone.

    Comments are dropped.
    """
    found = [""]
    for piece in _TOKEN.findall(text):
        if piece == ";":
            found.append("")
        elif not piece.startswith(("--", "/*")):
            found[-1] += piece
        else:
            found[-1] += " "
    stripped = (statement.strip() for statement in found)
    return [statement for statement in stripped if statement]


def produce(spark: SparkSession, job: Path, params: Mapping[str, Any]) -> DataFrame:
    """Run the statements of ``job`` and return the last one's rows as a lazy frame.

    :raises SpecError: if there is no statement, one has a syntax error, an earlier one does more
        than prepare (temporary views and functions, variables), or the last one is no query.
    """
    found = statements(job.read_text(encoding="utf-8"))
    if not found:
        raise SpecError(
            f"{job.name}: no statement; the last statement of a .sql job is the stage's output"
        )
    *before, last = found
    _check_preparations(job, before)
    values = _values(params)
    try:
        # Nothing runs until every statement is known to be allowed.
        _check_query(spark, job, last)
        for statement in before:
            spark.sql(statement, args=values)
        return spark.sql(last, args=values)
    except ParseException as error:
        # The file's mistake, told by the file's name; Spark's text alone names no file.
        raise SpecError(job.name, quote=str(error).strip()[:600]) from error


def _values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that SQL takes as values; lists and mappings are for Python jobs."""
    return {name: value for name, value in params.items() if isinstance(value, _SCALAR)}


def _verb(statement: str) -> str:
    return statement.split(maxsplit=1)[0].upper()


def _check_preparations(job: Path, before: Sequence[str]) -> None:
    for number, statement in enumerate(before, start=1):
        if not _PREPARES.match(statement):
            raise SpecError(
                f"{job.name}, statement {number} ({_verb(statement)} …) does more than prepare. "
                "Only the last statement's rows are gated and published; before it, use CREATE "
                "TEMPORARY VIEW, DECLARE or SET"
            )


def _check_query(spark: SparkSession, job: Path, statement: str) -> None:
    command = command_class(spark)
    for node in parsed_nodes(spark, statement):
        if command.isInstance(node) or node.getClass().getSimpleName() in _WRITES:
            raise SpecError(
                f"{job.name}: the last statement ({_verb(statement)} …) is no query. End with the "
                "SELECT whose rows are the output: tidegate writes, gates and publishes them"
            )
