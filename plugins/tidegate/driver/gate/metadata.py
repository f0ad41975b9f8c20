"""The witness that costs nothing: metrics answered by what the written files say of themselves.

A bound proves innocence and never guilt: where it cannot prove, the rule goes on to the next
witness.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from tidegate.driver.gate.facts import ColumnFacts, FileFacts
from tidegate.driver.gate.gx import MetricId, as_json

Answer = Callable[[Any, ColumnFacts, int], object]
"""From a metric, what is known of its column, and the count of rows, to its value."""

_PLAIN = frozenset({"batch_id", "column", "table"})
"""The domains that are a whole column or table: no condition leaves rows out."""


class _Unproven(Exception):
    """The metadata cannot tell."""


def answers(metrics: Iterable[Any], facts: FileFacts) -> dict[MetricId, object]:
    """Return the values of those metrics that ``facts`` prove, as GX spells them."""
    found: dict[MetricId, object] = {}
    for metric in metrics:
        if not _is_whole(metric.metric_domain_kwargs):
            continue
        try:
            found[metric.id] = as_json(_answer(metric, facts))
        except _Unproven:  # the next witness is asked
            continue
    return found


def _is_whole(domain: Mapping[str, Any]) -> bool:
    given = {key for key, value in domain.items() if value is not None}
    return given <= _PLAIN


def _answer(metric: Any, facts: FileFacts) -> object:
    if metric.metric_name == "table.row_count":
        return facts.rows
    answer = _ANSWERS.get(metric.metric_name)
    known = facts.columns.get(metric.metric_domain_kwargs.get("column"))
    if answer is None or known is None:
        raise _Unproven
    return answer(metric, known, facts.rows)


def _nulls(metric: Any, known: ColumnFacts, rows: int) -> object:
    return known.nulls if rows else None  # Spark's sum of nothing


def _values(metric: Any, known: ColumnFacts, rows: int) -> object:
    return rows - known.nulls if rows else None


def _count(metric: Any, known: ColumnFacts, rows: int) -> object:
    return rows - known.nulls


def _high(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _extreme(known, known.high, rows)


def _low(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _extreme(known, known.low, rows)


def _extreme(known: ColumnFacts, bound: object, rows: int) -> object:
    if known.nulls == rows:
        return None
    # A zero's sign is lost in Parquet's bounds; and Spark holds NaN for the largest number.
    unsure = isinstance(bound, float) and (bound == 0 or known.nans != 0)
    if bound is None or unsure:
        raise _Unproven
    return bound


def _outside(metric: Any, known: ColumnFacts, rows: int) -> object:
    """Return how many values lie outside the range that a rule asks for: none, if provable."""
    if known.nulls == rows:
        return 0 if rows else None  # Spark's sum of nothing
    asked = metric.metric_value_kwargs
    floating = isinstance(known.low, float)
    if known.low is None or known.high is None or (floating and known.nans != 0):
        raise _Unproven
    least = _bound(asked.get("min_value"), known.low)
    most = _bound(asked.get("max_value"), known.high)
    if least is None and most is None:
        raise _Unproven  # Great Expectations refuses that, in its own words
    if least is not None and most is not None and least > most:
        raise _Unproven  # that, too
    if least is not None and not _is_above(known.low, least, asked.get("strict_min")):
        raise _Unproven
    if most is not None and not _is_above(most, known.high, asked.get("strict_max")):
        raise _Unproven
    return 0


def _is_above(high: Any, low: Any, strict: object) -> bool:
    if not strict:
        return bool(high >= low)
    if type(high) is not type(low):
        # Spark compares numbers of two types as doubles, where two unlike ones may be equal.
        raise _Unproven
    return bool(high > low)


def _bound(asked: object, like: object) -> Any:
    """Return a rule's bound in the type of the column's values; None if it asks for none.

    Only where Spark's comparison of the two is certain to be Python's.
    """
    if asked is None:
        return None
    if isinstance(asked, bool) or isinstance(like, bool):
        raise _Unproven
    if isinstance(asked, int | float | Decimal) and isinstance(like, int | float | Decimal):
        if not isfinite(asked):
            raise _Unproven
        return asked
    if type(asked) is date and type(like) is date:
        return asked
    # A timestamp is not compared: in the hour that a clock turns back, Python's order is not
    # Spark's. Nor is a text, which Spark casts.
    raise _Unproven


_ANSWERS: Mapping[str, Answer] = {
    "column_values.nonnull.unexpected_count": _nulls,
    "column_values.null.unexpected_count": _values,
    "column_values.between.unexpected_count": _outside,
    "column.non_null_count": _count,
    "column.max": _high,
    "column.min": _low,
}
"""By the name of the metric; to add one, show in ``test_gate_metadata.py`` that it equals GX."""
