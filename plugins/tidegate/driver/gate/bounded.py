"""Values on their way into the report: as JSON, and never more of them than a person reads."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import singledispatch
from itertools import islice
from math import isfinite
from typing import Any

from tidegate.contract import MORE, Json, brief

_ITEMS = 20
_LETTERS = 400
WITHHELD = "withheld (pii)"
_NAMES = frozenset(
    {"column", "column_A", "column_B", "column_list", "type_", "type_list", "condition_parser"}
    | {"ignore_row_if", "match_on", "regex", "regex_list", "like_pattern", "like_pattern_list"}
)
"""The arguments of an expectation that name columns, types or patterns, and hold no values."""
_NUMBERS = frozenset(
    {"mostly", "min_value", "max_value", "strict_min", "strict_max", "or_equal"}
    | {"threshold", "double_sided"}
)
"""Those that hold none as long as they are numbers; a text or a date may be somebody's."""


def shown_kwargs(kwargs: Mapping[str, Any], secret: bool) -> dict[str, Json]:
    """Return an expectation's arguments for the report.

    :param secret: withhold those that may hold values of a ``pii`` column.
    """
    given = {name: value for name, value in kwargs.items() if value is not None}
    given.pop("batch_id", None)
    shown: dict[str, Json] = {}
    for name, value in given.items():
        withheld = secret and _may_hold_values(name, value)
        shown[name] = WITHHELD if withheld else bounded(value)
    return shown


def _may_hold_values(name: str, value: object) -> bool:
    if name in _NUMBERS:
        return not isinstance(value, int | float)
    return name not in _NAMES


@singledispatch
def bounded(value: Any) -> Json:
    """Return ``value`` as JSON of at most twenty items a list and 400 letters a text.

    A longer list becomes ``{"first": [...], "more": n}``; numbers that JSON cannot hold, dates and
    whatever else there is become text.
    """
    if hasattr(value, "to_json_dict"):  # GX's own condition objects
        return bounded(value.to_json_dict())
    return brief(value, _LETTERS)


@bounded.register(int)
@bounded.register(type(None))
def _as_it_is(value: int | None) -> Json:
    return value


@bounded.register(float)
@bounded.register(Decimal)
def _number(value: float | Decimal) -> Json:
    plain = float(value)
    if not isfinite(plain):
        return str(value)
    if isinstance(value, Decimal) and Decimal(repr(plain)) != value:
        return str(value)  # more digits than a JSON number keeps
    return plain


@bounded.register(list)
@bounded.register(tuple)
@bounded.register(set)
@bounded.register(frozenset)
def _list(values: Iterable[Any]) -> Json:
    listed = list(values)
    first = [bounded(each) for each in listed[:_ITEMS]]
    if len(listed) <= _ITEMS:
        return first
    return {"first": first, MORE: len(listed) - _ITEMS}


@bounded.register(Mapping)
def _object(values: Mapping[Any, Any]) -> Json:
    first = {str(key): bounded(each) for key, each in islice(values.items(), _ITEMS)}
    if len(values) > _ITEMS:
        first[MORE] = len(values) - _ITEMS
    return first
