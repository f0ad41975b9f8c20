"""The suite as a document: what can be checked, and read from it, without importing Great Expectations."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from tidegate.contract import Severity, Suite
from tidegate.errors import SpecError

Entry = Mapping[str, Any]

_SUITE_KEYS = frozenset({"pii"})
_ENTRY_KEYS = frozenset({"pii"})


def check(suite: Suite) -> None:
    """Check the shape of a suite's document, its severities and what it says to tidegate.

    :raises SpecError: if the document is no Great Expectations 1.x suite, or asks tidegate for
        something unknown.
    """
    document = suite.document
    if not isinstance(document, Mapping) or not isinstance(document.get("expectations"), list):
        raise SpecError(
            f"suite {suite.name!r}: not a Great Expectations 1.x suite; it has no list 'expectations'"
        )
    _check_meta(f"suite {suite.name!r}", document, _SUITE_KEYS)
    for position, entry in enumerate(document["expectations"], start=1):
        _check_entry(f"suite {suite.name!r}, expectation {position}", entry)


def _check_entry(where: str, entry: object) -> None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise SpecError(
            f"{where}: has no 'type'; an expectation is {{'type': …, 'kwargs': …, 'severity': …}}"
        )
    where = f"{where} ({entry['type']})"
    if not isinstance(entry.get("kwargs", {}), Mapping):
        raise SpecError(f"{where}: 'kwargs' is not an object")
    if entry.get("severity", "critical") not in get_args(Severity):
        raise SpecError(
            f"{where}: severity {entry['severity']!r}; use one of {', '.join(get_args(Severity))}"
        )
    _check_meta(where, entry, _ENTRY_KEYS)


def _check_meta(where: str, holder: Mapping[str, Any], known: frozenset[str]) -> None:
    meta = holder.get("meta") or {}
    wishes = meta.get("tidegate", {}) if isinstance(meta, Mapping) else None
    if not isinstance(wishes, Mapping):
        raise SpecError(f"{where}: 'meta' and 'meta.tidegate' are objects")
    if "on_fail" in wishes:
        raise SpecError(
            f"{where}: meta.tidegate.on_fail is planned, not there yet; remove it, or nothing is set aside"
        )
    if unknown := sorted(set(wishes) - known):
        raise SpecError(f"{where}: meta.tidegate has unknown {unknown}; it takes {sorted(known)}")
    hidden = wishes.get("pii", [])
    if not isinstance(hidden, list) or not all(isinstance(column, str) for column in hidden):
        raise SpecError(f"{where}: meta.tidegate.pii is a list of column names, not {hidden!r}")


def hidden_columns(suite: Suite, entry: Entry) -> frozenset[str]:
    """Return the columns whose values one expectation of ``suite`` must not show."""
    return frozenset(_pii(suite.document)) | frozenset(_pii(entry))


def _pii(holder: Mapping[str, Any]) -> Sequence[str]:
    wishes: Mapping[str, Any] = (holder.get("meta") or {}).get("tidegate", {})
    hidden: list[str] = wishes.get("pii", [])
    return hidden
