"""A JSON document read as a dataclass, every field checked: what comes from a file is not trusted.

The standard library alone, since the driver may have nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
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
    known = {field.name: field for field in fields(shape)}
    unknown = sorted(given.keys() - known.keys())
    _require(not unknown, where, f"has unknown {unknown}")
    required = [
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [name for name in required if name not in given]
    _require(not missing, where, f"lacks {missing}")
    return shape(**{name: read_as(hints[name], v, f"{where}.{name}") for name, v in given.items()})


def _union(shape: Any, value: object, where: str) -> Any:
    options = [option for option in get_args(shape) if option is not NoneType]
    if value is None and NoneType in get_args(shape):
        return None
    _require(len(options) == 1, where, "is of a shape that cannot be read")
    return read_as(options[0], value, where)


def _literal(shape: Any, value: object, where: str) -> Any:
    allowed = get_args(shape)
    _require(isinstance(value, str) and value in allowed, where, f"is none of {allowed}")
    return value


def _tuple(shape: Any, value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is {_named(value)}, not a list")
    each = get_args(shape)[0]
    return tuple(read_as(each, item, f"{where}[{place}]") for place, item in enumerate(value))


def _mapping(shape: Any, value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {_named(value)}, not an object")
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
        items: list[object] = []
        for each in level:
            items += _items(each)
        level = items
        deep += 1
    return deep


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    return []


def _require(holds: bool, where: str, told: str) -> None:
    if not holds:
        raise ValueError(f"{where} {told}")


def _named(value: object) -> str:
    return _named_type(type(value))


def _named_type(shape: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", NoneType: "null"}
    return names.get(shape) or f"{shape.__name__}"
