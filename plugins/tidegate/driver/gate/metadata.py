"""The witness that costs nothing: metrics answered by what the written files say of themselves.

A bound proves innocence and never guilt: where it cannot prove, the rule goes on to the next
witness.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
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


def _prove(holds: object) -> None:
    if not holds:
        raise _Unproven


def answers(metrics: Iterable[Any], facts: FileFacts) -> dict[MetricId, object]:
    """Return the values of those metrics that ``facts`` prove, as GX spells them."""
    found: dict[MetricId, object] = {}
    for metric in metrics:
        with suppress(_Unproven):  # the next witness is asked
            found[metric.id] = as_json(_answer(metric, facts))
    return found


def is_whole(metric: Any) -> bool:
    """Tell whether a metric is of every row of a column or table."""
    domain = metric.metric_domain_kwargs
    return all(domain[key] is None for key in domain.keys() - _PLAIN)


def _answer(metric: Any, facts: FileFacts) -> object:
    _prove(is_whole(metric))
    if metric.metric_name == "table.row_count":
        return facts.rows
    answer = _ANSWERS.get(metric.metric_name)
    known = facts.columns.get(metric.metric_domain_kwargs.get("column"))
    if answer is None or known is None:
        raise _Unproven
    return answer(metric, known, facts.rows)


def _nulls(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _sum(known.nulls, rows)


def _values(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _sum(rows - known.nulls, rows)


def _sum(count: int, rows: int) -> object:
    return count if rows else None  # Spark's sum of nothing


def _count(metric: Any, known: ColumnFacts, rows: int) -> object:
    return rows - known.nulls


def _high(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _extreme(known, known.high, rows)


def _low(metric: Any, known: ColumnFacts, rows: int) -> object:
    return _extreme(known, known.low, rows)


def _extreme(known: ColumnFacts, bound: object, rows: int) -> object:
    if known.nulls == rows:
        return None
    # A zero's sign is lost in Parquet's bounds.
    _prove((type(bound), bound) != (float, 0))
    return _sure(bound, known)


def _sure(bound: object, known: ColumnFacts) -> object:
    """Return a column's bound; Spark holds NaN for the largest number, where there may be one."""
    _prove(bound is not None)
    _prove(known.nans == 0 or not isinstance(bound, float))
    return bound


def _outside(metric: Any, known: ColumnFacts, rows: int) -> object:
    """Return how many values lie outside the range that a rule asks for: none, if provable."""
    if known.nulls == rows:
        return _sum(0, rows)
    asked = metric.metric_value_kwargs
    low = _sure(known.low, known)
    high = _sure(known.high, known)
    least = _bound(asked.get("min_value"), low)
    most = _bound(asked.get("max_value"), high)
    # A range without ends and one turned round are refused by Great Expectations, in its own words.
    _prove((least, most) != (None, None))
    _require_order(least, most, strict=False)
    _require_order(least, low, strict=asked.get("strict_min"))
    _require_order(high, most, strict=asked.get("strict_max"))
    return 0


def _require_order(low: Any, high: Any, *, strict: object) -> None:
    """Prove that ``low`` is not above ``high``, nor equal if ``strict``; None is no bound."""
    if low is None or high is None:
        return
    _prove(low <= high)
    if strict:
        # Spark compares numbers of two types as doubles, where two unlike ones may be equal.
        _prove(type(low) is type(high))
        _prove(low < high)


def _bound(asked: object, like: object) -> Any:
    """Return a rule's bound in the type of the column's values; None if it asks for none.

    Only where Spark's comparison of the two is certain to be Python's.
    """
    if asked is None:
        return None
    _prove(type(like) in _AS_BOUND)
    return _AS_BOUND[type(like)](asked)


def _number(asked: Any) -> Any:
    _prove(isinstance(asked, int | float | Decimal))
    _prove(not isinstance(asked, bool))
    _prove(isfinite(asked))
    return asked


def _day(asked: Any) -> date:
    _prove(type(asked) is date)
    day: date = asked
    return day


_AS_BOUND: Mapping[type, Callable[[Any], Any]] = {
    int: _number,
    float: _number,
    Decimal: _number,
    date: _day,
}
"""By the very type of a column's values: a bool is no number here, and a point in time no day.

A timestamp is not compared: in the hour that a clock turns back, Python's order is not Spark's.
"""


_ANSWERS: Mapping[str, Answer] = {
    "column_values.nonnull.unexpected_count": _nulls,
    "column_values.null.unexpected_count": _values,
    "column_values.between.unexpected_count": _outside,
    "column.non_null_count": _count,
    "column.max": _high,
    "column.min": _low,
}
"""By the name of the metric; to add one, show in ``test_gate_metadata.py`` that it equals GX."""
