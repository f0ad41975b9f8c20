"""A value as text, bounded: the one spelling of examples, bounds and observed values."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import singledispatch
from typing import Any

from tidegate.contract.judgement import MORE

_SHOWN = 3
_EXACT = 1e15
"""Whole floats below this are told without a fraction; above it, not every one of them exists."""


def brief(value: object, longest: int) -> str:
    """Return ``value`` as text of at most ``longest`` characters; of a collection, three items."""
    text = plain(_text(value))
    if len(text) <= longest:
        return text
    return f"{text[: longest - 1]}…"


def named(values: Mapping[str, Any], longest: int) -> str:
    """Return every value with its name, as in ``carrier=UA flight=1545``; none is left out.

    :param longest: how many characters a value has at the most.
    """
    return " ".join(f"{plain(str(name))}={brief(value, longest)}" for name, value in values.items())


def plain(text: str) -> str:
    r"""Return ``text`` on one line, with all that a terminal or a page would obey spelled out.

    Control characters, escapes, line separators and what turns the direction of writing appear as
    ``\n``, ``\x1b`` or ``\u202e``: seen, and without effect.
    """
    if text.isprintable():
        return text
    return "".join(map(_spelled, text))


def _spelled(letter: str) -> str:
    if letter.isprintable():
        return letter
    return letter.encode("unicode_escape").decode("ascii")


def number(value: float | Decimal) -> str:
    """Return a number as a person writes it: ``3``, ``4.5``, ``1.38889``; decimals keep digits."""
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < _EXACT:
        return f"{value:.0f}"
    return f"{value:.6g}"


@singledispatch
def _text(value: object) -> str:
    return str(value)


@_text.register
def _null_text(value: None) -> str:
    return "null"


@_text.register
def _bool_text(value: bool) -> str:
    return str(value).lower()


@_text.register(int)
@_text.register(float)
@_text.register(Decimal)
def _number_text(value: float | Decimal) -> str:
    return number(value)


@_text.register
def _date_text(value: date) -> str:
    return value.isoformat()


@_text.register(Mapping)
def _object_text(value: Mapping[str, Any]) -> str:
    if set(value) == {"first", MORE}:  # a bounded list
        return _items([_text(item) for item in value["first"]], value[MORE])
    told = [f"{key}: {_text(item)}" for key, item in value.items() if key != MORE]
    return _items(told, value.get(MORE, 0))


@_text.register(list)
@_text.register(tuple)
@_text.register(set)
@_text.register(frozenset)
def _collection_text(value: Sequence[Any]) -> str:
    return _items([_text(item) for item in value], 0)


def _items(texts: Sequence[str], left_out: int) -> str:
    shown = list(texts[:_SHOWN])
    more = len(texts) - len(shown) + left_out
    if more:
        shown.append(f"… {more} more")
    return f"{{{', '.join(shown)}}}"
