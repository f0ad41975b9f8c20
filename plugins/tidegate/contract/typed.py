"""A JSON document read as a dataclass, every field checked: what comes from a file is not trusted.

The standard library alone, since the driver may have nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import singledispatch
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

DEEPEST = 16
"""How deep values of any shape may nest; whoever tells them walks them."""


def read_as(shape: Any, value: object, where: str) -> Any:
    """Return ``value`` as ``shape`` asks: a dataclass, ``X | None``, a tuple, a mapping, a literal.

    :raises ValueError: saying where it is something else.
    """
    origin = get_origin(shape) or shape
    if is_dataclass(origin):
        return _dataclass(origin, value, where)
    return _READERS.get(origin, _plain)(shape, value, where)


def _dataclass(shape: Any, value: object, where: str) -> Any:
    given = _mapping(Mapping[str, Any], value, where)
    hints = get_type_hints(shape)
    unknown = sorted(given.keys() - {field.name for field in fields(shape)})
    _require(not unknown, where, f"has unknown {unknown}")
    required = filter(_has_no_default, fields(shape))
    missing = [field.name for field in required if field.name not in given]
    _require(not missing, where, f"lacks {missing}")
    return shape(**{name: read_as(hints[name], v, f"{where}.{name}") for name, v in given.items()})


def _has_no_default(field: Field[Any]) -> bool:
    return (field.default, field.default_factory) == (MISSING, MISSING)


def _union(shape: Any, value: object, where: str) -> Any:
    options = set(get_args(shape)) - {NoneType}
    if value is None and NoneType in get_args(shape):
        return None
    _require(len(options) == 1, where, "is of a shape that cannot be read")
    return read_as(options.pop(), value, where)


def _literal(shape: Any, value: object, where: str) -> Any:
    allowed = get_args(shape)
    _require(value in allowed, where, f"is none of {allowed}")
    return value


def _tuple(shape: Any, value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), where, f"is {_named(value)}, not a list")
    each = get_args(shape)[0]
    return tuple(read_as(each, item, f"{where}[{place}]") for place, item in enumerate(value))


def _mapping(shape: Any, value: Any, where: str) -> dict[str, Any]:
    _require(isinstance(value, dict), where, f"is {_named(value)}, not an object")
    each = get_args(shape)[1]
    return {key: read_as(each, item, f"{where}[{key[:40]!r}]") for key, item in value.items()}


def _any(shape: Any, value: object, where: str) -> Any:
    _require(_depth(value) <= DEEPEST, where, f"nests deeper than {DEEPEST}")
    return value


def _plain(shape: Any, value: object, where: str) -> Any:
    if shape is float and type(value) is int:
        return float(value)
    _require(type(value) is shape, where, f"is {_named(value)}, not {_named_type(shape)}")
    return value


_READERS: Mapping[Any, Callable[[Any, object, str], Any]] = {
    Union: _union,
    UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    get_origin(Mapping[str, Any]): _mapping,
    Any: _any,
}


def _depth(value: object) -> int:
    """Return how deep lists and objects nest, looking no deeper than is allowed."""
    level = [value]
    deep = 0
    while level and deep <= DEEPEST:
        level = list(chain.from_iterable(map(_items, level)))
        deep += 1
    return deep


@singledispatch
def _items(value: object) -> Iterable[object]:
    return ()


@_items.register(list)
def _items_of_list(value: list[object]) -> Iterable[object]:
    return value


@_items.register(dict)
def _items_of_object(value: dict[str, object]) -> Iterable[object]:
    return value.values()


def _require(holds: bool, where: str, told: str) -> None:
    if not holds:
        raise ValueError(f"{where} {told}")


def _named(value: object) -> str:
    return _named_type(type(value))


def _named_type(shape: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", NoneType: "null"}
    return names.get(shape) or f"{shape.__name__}"
