"""The suite as a document: what can be checked and read without importing Great Expectations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from tidegate.contract import Severity, Suite
from tidegate.errors import SpecError

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
    if not isinstance(document, Mapping) or not isinstance(document.get("expectations"), list):
        raise SpecError(
            f"{where}: not a Great Expectations 1.x suite; it has no list 'expectations'"
        )
    _check_meta(where, document, _SUITE_KEYS)
    for position, entry in enumerate(document["expectations"], start=1):
        _check_entry(f"{where}, expectation {position}", entry)


def _check_entry(where: str, entry: object) -> None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise SpecError(f"{where}: has no 'type'; an expectation is {_SHAPE}")
    where = f"{where} ({entry['type']})"
    if not isinstance(entry.get("kwargs", {}), Mapping):
        raise SpecError(f"{where}: 'kwargs' is not an object")
    severity = entry.get("severity", "critical")
    if severity not in _SEVERITIES:
        raise SpecError(f"{where}: severity {severity!r}; use one of {', '.join(_SEVERITIES)}")
    _check_meta(where, entry, _ENTRY_KEYS)


def _check_meta(where: str, holder: Mapping[str, Any], known: frozenset[str]) -> None:
    meta = holder.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise SpecError(f"{where}: {_OBJECTS}")
    wishes = meta.get("tidegate", {})
    if not isinstance(wishes, Mapping):
        raise SpecError(f"{where}: {_OBJECTS}")
    if "on_fail" in wishes:
        raise SpecError(f"{where}: {_ON_FAIL}")
    unknown = sorted(set(wishes) - known)
    if unknown:
        raise SpecError(f"{where}: meta.tidegate has unknown {unknown}; it takes {sorted(known)}")
    hidden = wishes.get("pii", [])
    if not _are_names(hidden):
        raise SpecError(f"{where}: meta.tidegate.pii is a list of column names, not {hidden!r}")

    if not isinstance(wishes.get("data_docs", False), bool):
        raise SpecError(f"{where}: meta.tidegate.data_docs is true or false")


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def exports_data_docs(suite: Suite) -> bool:
    """Tell whether ``suite`` asks for Great Expectations' own page, which takes time to render."""
    wishes: Mapping[str, Any] = (suite.document.get("meta") or {}).get("tidegate", {})
    return bool(wishes.get("data_docs", False))


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
    wishes: Mapping[str, Any] = (holder.get("meta") or {}).get("tidegate", {})
    hidden: list[str] = wishes.get("pii", [])
    return hidden
