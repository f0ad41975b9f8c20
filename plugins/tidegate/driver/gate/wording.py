"""Words for what an expectation asks and what was seen, short enough for a card."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

_LONGEST = 120
_SHOWN = 3
_EXACT = 1e15
_NOT_A_BOUND = frozenset(
    {
        "column",
        "column_A",
        "column_B",
        "column_list",
        "batch_id",
        "mostly",
        "row_condition",
        "condition_parser",
    }
    | {"ignore_row_if", "result_format", "catch_exceptions", "strict_min", "strict_max"}
)
_FIXED = {
    "expect_column_values_to_not_be_null": "not null",
    "expect_column_values_to_be_null": "null",
    "expect_column_values_to_be_unique": "unique",
    "expect_compound_columns_to_be_unique": "unique together",
    "expect_select_column_values_to_be_unique_within_record": "different within each row",
    "expect_multicolumn_values_to_be_unique": "different within each row",
    "expect_multicolumn_values_to_be_equal": "equal within each row",
    "expect_column_to_exist": "exists",
    "expect_column_values_to_be_increasing": "increasing",
    "expect_column_values_to_be_decreasing": "decreasing",
    "expect_column_pair_values_to_be_equal": "A = B",
}
_BY_ARGUMENT = {
    "value_set": "in",
    "column_set": "columns",
    "regex": "matches",
    "regex_list": "matches",
    "like_pattern": "like",
    "value": "=",
    "sum_total": "sum =",
    "type_": "type",
    "type_list": "type in",
    "threshold": "threshold",
    "unexpected_rows_query": "no rows from",
}


def bound(kind: str, kwargs: Mapping[str, Any]) -> str:
    """Return what an expectation asks, as in ``0 .. 100``, ``in {a, b, c, … 9 more}`` or ``matches ^x$, >= 99 %``."""
    mostly = kwargs.get("mostly")
    share = (
        f">= {_number(mostly * 100)} %" if isinstance(mostly, (int, float)) and mostly != 1 else ""
    )
    asked = _FIXED.get(kind) or _range(kwargs) or _argument(kind, kwargs) or _rest(kind, kwargs)
    if isinstance(kwargs.get("column_list"), list) and not asked:
        asked = f"columns {brief(kwargs['column_list'], _LONGEST)}"
    when = f"where {_condition(kwargs['row_condition'])}" if kwargs.get("row_condition") else ""
    return brief(", ".join(part for part in (asked, share, when) if part), 2 * _LONGEST)


def _range(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above, below = (
        (">" if kwargs.get("strict_min") else ">="),
        ("<" if kwargs.get("strict_max") else "<="),
    )
    if low is not None and high is not None:
        inclusive = (above, below) == (">=", "<=")
        return (
            f"{_text(low)} .. {_text(high)}"
            if inclusive
            else f"{above} {_text(low)}, {below} {_text(high)}"
        )
    if low is not None:
        return f"{above} {_text(low)}"
    return "" if high is None else f"{below} {_text(high)}"


def _argument(kind: str, kwargs: Mapping[str, Any]) -> str:
    if kind.endswith("_a_to_be_greater_than_b"):
        return "A >= B" if kwargs.get("or_equal") else "A > B"
    for name, word in _BY_ARGUMENT.items():
        if name in kwargs:
            negated = "not " if "_not_" in kind else ""
            return f"{negated}{word} {brief(kwargs[name], _LONGEST)}"
    return ""


def _rest(kind: str, kwargs: Mapping[str, Any]) -> str:
    given = {key: value for key, value in kwargs.items() if key not in _NOT_A_BOUND}
    return ", ".join(f"{key} = {brief(value, 40)}" for key, value in given.items())


def _condition(condition: Any) -> str:
    if isinstance(condition, Mapping):
        condition = (
            condition.get("filter") or condition.get("pass_through_filter") or dict(condition)
        )
    return brief(condition, _LONGEST)


def observed(detail: Mapping[str, Any], secret: bool) -> str:
    """Return what was seen: a value, or the share of unexpected values.

    :param secret: hide a value, as it may be one of the data's own.
    """
    if (value := detail.get("observed_value")) is not None:
        return "withheld (pii)" if secret else brief(value, _LONGEST)
    percent = detail.get("unexpected_percent")
    return "" if percent is None else f"{_number(percent)} % unexpected"


def brief(value: object, longest: int) -> str:
    """Return ``value`` as text of at most ``longest`` characters; of a collection, the first three items."""
    text = _text(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower() if isinstance(value, bool) else "null"
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, Mapping):
        return _items(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return _items(_text(item) for item in value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _items(texts: Iterable[str]) -> str:
    parts = list(texts)
    more = len(parts) - _SHOWN
    return "{" + ", ".join(parts[:_SHOWN]) + (f", … {more} more" if more > 0 else "") + "}"


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < _EXACT else f"{value:.6g}"
    return str(value)
