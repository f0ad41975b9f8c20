"""Which aggregates may ride along with a stage's own write.

Those that Spark can observe and that cannot throw.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.jvm import (
    call_behind,
    can_up_cast,
    column_of,
    jvm_of,
    observed_expressions,
)

NULL_SKIPPING = frozenset(
    {"sum", "try_sum", "avg", "mean", "min", "max", "count", "stddev_samp", "stddev", "var_samp"}
)
"""Aggregates of one argument that take a row left out by a filter for a NULL argument."""

_SAFE = frozenset(
    {
        "Alias",
        "AttributeReference",
        "Literal",
        "GetStructField",
        "AggregateExpression",
        "Count",
        "Min",
        "Max",
    }
    | {
        "EqualTo",
        "EqualNullSafe",
        "LessThan",
        "LessThanOrEqual",
        "GreaterThan",
        "GreaterThanOrEqual",
    }
    | {"And", "Or", "Not", "IsNull", "IsNotNull", "IsNaN", "In", "InSet"}
    | {
        "CaseWhen",
        "If",
        "Coalesce",
        "Length",
        "StddevSamp",
        "StddevPop",
        "VarianceSamp",
        "VariancePop",
    }
)
_PATTERNS = frozenset({"RLike", "Like"})
_FLOATING = frozenset({"double", "float"})
_NUMERIC = frozenset({"tinyint", "smallint", "int", "bigint", "decimal", "float", "double"})
_REPEATED_GROUP = re.compile(r"\)[*+{]|\\[1-9]")
_AVERAGED_DIGITS = 28
_RAISED = (Py4JJavaError, PySparkException)


def as_try_sum(aggregate: Column) -> Column | None:
    """Return a sum that is NULL where ``aggregate`` overflows and throws.

    Nothing if ``aggregate`` is no plain sum.
    """
    node = call_behind(aggregate)
    if (
        node is None
        or node.functionName() != "sum"
        or node.isDistinct()
        or node.arguments().size() != 1
    ):
        return None
    return F.call_function("try_sum", column_of(SparkSession.active(), node.arguments().apply(0)))


def within(aggregate: Column, predicate: Column | None) -> Column | None:
    """Return ``aggregate`` over the rows that meet ``predicate``, said without a filter.

    Nothing if it cannot be said so.
    """
    node = call_behind(aggregate)
    if node is None or node.isDistinct():
        return None
    name: str = node.functionName()
    if name not in NULL_SKIPPING or node.arguments().size() != 1:
        return None
    argument = column_of(SparkSession.active(), node.arguments().apply(0))
    if predicate is not None:
        argument = F.when(predicate, argument)
    return F.call_function(name, argument)


def admissible(frame: DataFrame, aggregates: Mapping[str, Column]) -> dict[str, Column]:
    """Return those of ``aggregates`` that observing ``frame`` is neither refused nor killed by."""
    return {name: aggregates[name] for name in _admitted(frame, tuple(aggregates.items()))}


def _admitted(frame: DataFrame, named: Sequence[tuple[str, Column]]) -> list[str]:
    if not named:
        return []
    try:
        probe = frame.observe("probe", *[column.alias(name) for name, column in named])
    except AnalysisException:  # one of them: a window, a DISTINCT, a column that is not there
        half = len(named) // 2
        if not half:
            return []
        return _admitted(frame, named[:half]) + _admitted(frame, named[half:])
    metrics = observed_expressions(probe)
    return [name for place, (name, _) in enumerate(named) if cannot_throw(metrics.apply(place))]


def cannot_throw(expression: Any) -> bool:
    """Tell whether nothing in a resolved Catalyst expression raises, whatever the data's values.

    A positive list: Spark itself does not know (its ``throwable`` ignores ANSI casts and user
    functions).
    """
    if expression.foldable():
        return _evaluates(expression)
    children = _children(expression)
    return _is_safe(expression, children) and all(cannot_throw(child) for child in children)


def _is_safe(expression: Any, children: Sequence[Any]) -> bool:
    name: str = expression.getClass().getSimpleName()
    if name in _SAFE:
        return True
    if name in _PATTERNS:
        return _is_tame_pattern(name, children[1])
    if name == "Cast":
        return _is_safe_cast(expression, children[0])
    if name == "Sum":
        return (
            expression.prettyName() == "try_sum"
            or _type(children[0]) in _FLOATING
            or _is_one_or_none(children[0])
        )
    if name == "Average":
        return (
            _type(children[0]) != "decimal"
            or children[0].dataType().precision() <= _AVERAGED_DIGITS
        )
    return name in {"Abs", "Add", "Subtract", "Multiply"} and _type(expression) in _FLOATING


def _is_one_or_none(expression: Any) -> bool:
    """Tell whether it can only be 1, 0 or NULL: no table has rows enough to overflow."""
    name = expression.getClass().getSimpleName()
    if name == "Literal":
        return str(expression.toString()) in {"0", "1", "null"}
    values = [child for child in _children(expression) if _type(child) != "boolean"]
    return name in {"CaseWhen", "If"} and all(_is_one_or_none(value) for value in values)


def _is_safe_cast(cast: Any, source: Any) -> bool:
    if cast.evalMode().toString() == "TRY":
        return True
    if _type(cast) in _FLOATING and _type(source) in _NUMERIC:
        return True
    return can_up_cast(SparkSession.active(), source.dataType(), cast.dataType())


def _is_tame_pattern(kind: str, pattern: Any) -> bool:
    """Tell whether it is a literal that compiles, and that no text sends astray.

    Into unbounded recursion or backtracking, that is.
    """
    if not pattern.foldable() or not _evaluates(pattern):
        return False
    text = str(pattern.eval(None))
    if kind == "Like":
        return "\\" not in text
    jvm = jvm_of(SparkSession.active())
    try:
        jvm.java.util.regex.Pattern.compile(text)
    except _RAISED:  # no pattern: judging meets it again, and reports it
        return False
    return not _REPEATED_GROUP.search(text)


def _evaluates(constant: Any) -> bool:
    try:
        constant.eval(None)
    except _RAISED:  # a constant that throws would break the write, even without rows
        return False
    return True


def _children(expression: Any) -> list[Any]:
    children = expression.children()
    return [children.apply(place) for place in range(children.size())]


def _type(expression: Any) -> str:
    return str(expression.dataType().simpleString()).partition("(")[0]
