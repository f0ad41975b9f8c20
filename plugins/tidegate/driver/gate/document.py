"""The suite as a document: what can be checked and read without importing Great Expectations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from tidegate.contract import Severity, Suite
from tidegate.errors import require

Entry = Mapping[str, Any]

_SUITE_KEYS = frozenset({"pii", "data_docs"})
_ENTRY_KEYS = frozenset({"pii"})
_SEVERITIES = get_args(Severity)
_SHAPE = "{'type': …, 'kwargs': …, 'severity': …}"
_OBJECTS = "'meta' and 'meta.tidegate' are objects"
_ON_FAIL = "meta.tidegate.on_fail is planned, not there yet; remove it, or nothing is set aside"


def check(suite: Suite) -> None:
    """Check the shape of a suite's document, its severities and what it says to tidegate.

    :raises SpecError: if the document is no Great Expectations 1.x suite, or asks tidegate for
        something unknown.
    """
    document = suite.document
    where = f"suite {suite.name!r}"
    require(
        isinstance(document, Mapping) and isinstance(document.get("expectations"), list),
        f"{where}: not a Great Expectations 1.x suite; it has no list 'expectations'",
    )
    _check_meta(where, document, _SUITE_KEYS)
    for position, entry in enumerate(document["expectations"], start=1):
        _check_entry(f"{where}, expectation {position}", entry)


def _check_entry(where: str, entry: Any) -> None:
    is_typed = isinstance(entry, Mapping) and isinstance(entry.get("type"), str)
    require(is_typed, f"{where}: has no 'type'; an expectation is {_SHAPE}")
    where = f"{where} ({entry['type']})"
    require(isinstance(entry.get("kwargs", {}), Mapping), f"{where}: 'kwargs' is not an object")
    severity = entry.get("severity", "critical")
    told = f"{where}: severity {severity!r}; use one of {', '.join(_SEVERITIES)}"
    require(severity in _SEVERITIES, told)
    _check_meta(where, entry, _ENTRY_KEYS)


def _check_meta(where: str, holder: Mapping[str, Any], known: frozenset[str]) -> None:
    meta = holder.get("meta") or {}
    require(isinstance(meta, Mapping), f"{where}: {_OBJECTS}")
    wishes = meta.get("tidegate", {})
    require(isinstance(wishes, Mapping), f"{where}: {_OBJECTS}")
    require("on_fail" not in wishes, f"{where}: {_ON_FAIL}")
    unknown = sorted(set(wishes) - known)
    told = f"{where}: meta.tidegate has unknown {unknown}; it takes {sorted(known)}"
    require(not unknown, told)
    hidden = wishes.get("pii", [])
    told = f"{where}: meta.tidegate.pii is a list of column names, not {hidden!r}"
    require(_are_names(hidden), told)
    is_bool = isinstance(wishes.get("data_docs", False), bool)
    require(is_bool, f"{where}: meta.tidegate.data_docs is true or false")


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def exports_data_docs(suite: Suite) -> bool:
    """Tell whether ``suite`` asks for Great Expectations' own page, which takes time to render."""
    return bool(_wishes(suite.document).get("data_docs", False))


def pii_lists(suite: Suite) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield every list of ``pii`` columns of a checked ``suite``, each with where it stands."""
    where = f"suite {suite.name!r}"
    yield where, _pii(suite.document)
    for position, entry in enumerate(suite.document["expectations"], start=1):
        yield f"{where}, expectation {position} ({entry['type']})", _pii(entry)


def hidden_columns(suite: Suite, entry: Entry) -> frozenset[str]:
    """Return the columns whose values one expectation of ``suite`` must not show."""
    return frozenset(_pii(suite.document)) | frozenset(_pii(entry))


def _pii(holder: Mapping[str, Any]) -> Sequence[str]:
    hidden: list[str] = _wishes(holder).get("pii", [])
    return hidden


def _wishes(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a checked suite, or an entry of it, says to tidegate."""
    wishes: Mapping[str, Any] = (holder.get("meta") or {}).get("tidegate", {})
    return wishes
