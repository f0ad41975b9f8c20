"""The sql kind: a ``.sql`` file whose last statement is the output.

It sees its inputs as views, and its values as parameter markers.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.kinds.allowed import Statement, check, check_meaning
from tidegate.errors import SpecError, require

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;|[^'"`;/-]+|.""", re.S
)
_COMMENT = re.compile(r"--|/\*(?!\+)")
_SCALAR = (str, int, float, bool, type(None))


def statements(text: str) -> list[str]:
    """Split SQL text at its semicolons, leaving those in strings, names and comments alone.

    Comments are dropped, but for hints (``/*+ … */``).
    """
    found = [""]
    for piece in _TOKEN.findall(text):
        if piece == ";":
            found.append("")
        elif _COMMENT.match(piece):
            found[-1] += " "
        else:
            found[-1] += piece
    return list(filter(None, map(str.strip, found)))


def produce(spark: SparkSession, job: Path, params: Mapping[str, Any]) -> DataFrame:
    """Run the statements of ``job`` and return the last one's rows as a lazy frame.

    :raises SpecError: if there is no statement, one has a syntax error, an earlier one does more
        than prepare (temporary views and functions, variables), or the last one is no query.
    """
    found = statements(job.read_text(encoding="utf-8"))
    told = f"{job.name}: no statement; the last statement of a .sql job is the stage's output"
    require(found, told)
    values = _values(params)
    numbered = []
    for number, text in enumerate(found, start=1):
        numbered.append(Statement(job.name, number, text, values, number == len(found)))
    try:
        # Nothing runs until every statement is known to be allowed.
        for statement in numbered:
            check(spark, statement)
        for statement in numbered[:-1]:
            _run(spark, statement)
        return _run(spark, numbered[-1])
    except ParseException as error:
        # The file's mistake, told by the file's name; Spark's text alone names no file.
        raise SpecError(job.name, quote=str(error).strip()[:600]) from error
    except AnalysisException as error:
        if error.getCondition() != "UNBOUND_SQL_PARAMETER":
            raise
        # Spark's own text explains how to call it from Python, and names no file.
        asked = (error.getMessageParameters() or {}).get("name", "")
        raise SpecError(
            f"{job.name}: no parameter :{asked}; this stage offers {sorted(values)}: rename it, or "
            "add it to the stage's params"
        ) from None


def _run(spark: SparkSession, statement: Statement) -> DataFrame:
    # Only now: what a statement means may hang on a view that one before it has made.
    check_meaning(spark, statement)
    return spark.sql(statement.text, args=dict(statement.values))


def _values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that SQL takes as values; lists and mappings are for Python jobs."""
    return {name: value for name, value in params.items() if isinstance(value, _SCALAR)}
