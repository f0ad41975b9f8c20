"""A value as text, bounded: the one way in which examples, bounds and observed values are spelled."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from tidegate.contract.judgement import MORE

_SHOWN = 3
_EXACT = 1e15
"""Whole floats below this are told without a fraction; above it, not every one of them exists."""


def brief(value: object, longest: int) -> str:
    """Return ``value`` as text of at most ``longest`` characters; of a collection, three items."""
    text = _text(value)
    if len(text) <= longest:
        return text
    return f"{text[: longest - 1]}…"


def number(value: float | Decimal) -> str:
    """Return a number as a person writes it: ``3``, ``4.5``, ``1.38889``; a decimal keeps digits."""
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < _EXACT:
        return f"{value:.0f}"
    return f"{value:.6g}"


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return number(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple | set | frozenset):
        return _items([_text(item) for item in value], 0)
    return value.isoformat() if isinstance(value, date) else str(value)


def _object(value: Mapping[str, Any]) -> str:
    if set(value) == {"first", MORE}:  # a bounded list
        return _items([_text(item) for item in value["first"]], value[MORE])
    told = [f"{key}: {_text(item)}" for key, item in value.items() if key != MORE]
    return _items(told, value.get(MORE, 0))


def _items(texts: Sequence[str], left_out: int) -> str:
    shown = ", ".join(texts[:_SHOWN])
    more = max(len(texts) - _SHOWN, 0) + left_out
    rest = f", … {more} more" if more else ""
    return f"{{{shown}{rest}}}"
