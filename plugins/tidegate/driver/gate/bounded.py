"""Values on their way into the report: as JSON, and never more of them than a person reads."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
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
    shown: dict[str, Json] = {}
    for name, value in kwargs.items():
        if name != "batch_id" and value is not None:
            shown[name] = bounded(value)
    if secret:
        for name in [each for each in shown if _may_hold_values(each, kwargs[each])]:
            shown[name] = WITHHELD
    return shown


def _may_hold_values(name: str, value: object) -> bool:
    if name in _NUMBERS:
        return not isinstance(value, int | float)
    return name not in _NAMES


def bounded(value: Any) -> Json:
    """Return ``value`` as JSON of at most twenty items a list and 400 letters a text.

    A longer list becomes ``{"first": [...], "more": n}``; numbers that JSON cannot hold, dates and
    whatever else there is become text.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    for types, write in _WRITERS:
        if isinstance(value, types):
            return write(value)
    if hasattr(value, "to_json_dict"):  # GX's own condition objects
        return bounded(value.to_json_dict())
    return brief(value, _LETTERS)


def _number(value: float | Decimal) -> Json:
    plain = float(value)
    if not isfinite(plain):
        return str(value)
    if isinstance(value, Decimal) and Decimal(repr(plain)) != value:
        return str(value)  # more digits than a JSON number keeps
    return plain


def _list(values: Iterable[Any]) -> Json:
    listed = list(values)
    first = [bounded(each) for each in listed[:_ITEMS]]
    if len(listed) <= _ITEMS:
        return first
    return {"first": first, MORE: len(listed) - _ITEMS}


def _object(values: Mapping[Any, Any]) -> Json:
    first = {str(key): bounded(each) for key, each in islice(values.items(), _ITEMS)}
    if len(values) > _ITEMS:
        first[MORE] = len(values) - _ITEMS
    return first


_Writer = Callable[[Any], Json]

_WRITERS: tuple[tuple[tuple[type, ...], _Writer], ...] = (
    ((float, Decimal), _number),
    ((Mapping,), _object),
    ((list, tuple, set, frozenset), _list),
)
"""How each type of value is written down; the first that fits."""
