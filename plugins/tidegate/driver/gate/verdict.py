"""From Great Expectations' results to the verdict: decided by severity, handed on as numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tidegate.contract import Expectation, Json, Judgement, Suite, Verdict, brief, columns_of, named
from tidegate.driver.gate.bounded import bounded, shown_kwargs
from tidegate.driver.gate.columns import columns_told
from tidegate.driver.gate.document import Entry
from tidegate.driver.gate.pii import hidden_of

_LONGEST_EXCEPTION = 300
_LONGEST_EXAMPLE = 40
_LONGEST_KEY = 100
"""A key is told whole: cut, it names no row."""
_LONGEST_ROW = 400
_EXAMPLES = 3
_NO_TEXT = "raised without a text"
_RAISED = "raised; its text is withheld, because the suite has pii columns"
_DECISIVE = (
    re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(\S.*)"),
    re.compile(r"Job aborted due to stage failure.*executor [^)]*\): (.*)"),
    re.compile(r"(\S.*)"),
)
"""Where the line that says why stands.

Under a Python traceback, in a failed task's story, or right at the front.
"""


class _Values(NamedTuple):
    """What an expectation saw, as far as it may be shown."""

    observed: Json
    examples: tuple[str, ...]


def judgement(suite: Suite, results: Sequence[Any], known: Sequence[str]) -> Judgement:
    """Return the verdict on ``results``, which stand in the order of the suite's expectations.

    :param known: the columns of the data, named to whoever asked for one that is not there.
    """
    entries = suite.document["expectations"]
    judged = []
    for place, (result, entry) in enumerate(zip(results, entries, strict=True), start=1):
        secret = is_secret(suite, entry, result)
        told = _exception(result, known, discreet=suite.has_pii)
        judged.append(_expectation(place, entry, result, secret, told))
    return Judgement(verdict=verdict(judged), expectations=tuple(judged))


def verdict(judged: Sequence[Expectation]) -> Verdict:
    """Return ``closed`` if a critical expectation failed, ``warn`` if a warning, else ``pass``."""
    failed = {each.severity for each in judged if not each.success}
    if "critical" in failed:
        return "closed"
    if "warning" in failed:
        return "warn"
    return "pass"


def _expectation(
    place: int, entry: Entry, result: Any, secret: bool, told: str | None
) -> Expectation:
    configuration = result.expectation_config
    kwargs = configuration.kwargs
    detail = result.result or {}
    shown = _Values(None, ())
    if not secret:
        guilty = examples(configuration.type, detail) or columns_told(result)
        shown = _Values(bounded(detail.get("observed_value")), guilty)
    return Expectation(
        id=str(entry.get("id") or place),
        type=configuration.type,
        severity=entry.get("severity", "critical"),
        success=bool(result.success),
        kwargs=shown_kwargs(kwargs, secret),
        observed=shown.observed,
        unexpected=_unexpected(configuration.type, detail),
        share=_share(detail),
        elements=_whole(detail.get("element_count")),
        examples=shown.examples,
        exception=told,
        withheld=secret,
    )


def is_secret(suite: Suite, entry: Entry, result: Any) -> bool:
    """Tell whether the values that one expectation of ``suite`` looks at must not be shown.

    Asked of its arguments as the suite has them, and with its parameters filled in.
    """
    hidden = hidden_of(suite, entry)
    filled = result.expectation_config.kwargs
    return any(hidden.seen_by(entry["type"], each) for each in (entry.get("kwargs", {}), filled))


def examples(kind: str, detail: Mapping[str, Any]) -> tuple[str, ...]:
    """Return at most three of the unexpected values, each at most forty characters long.

    Values of several columns that belong together each have their column's name, and keys that are
    not unique are told whole.
    """
    longest = _LONGEST_EXAMPLE
    if kind.endswith("_to_be_unique"):
        longest = _LONGEST_KEY
    listed = detail.get("partial_unexpected_list") or ()
    seen = [value for value in listed if value is not None]
    return tuple(_example(value, longest) for value in seen[:_EXAMPLES])


def _example(value: object, longest: int) -> str:
    if isinstance(value, Mapping):
        return brief(named(value, longest), _LONGEST_ROW)
    return brief(value, longest)


def _share(detail: Mapping[str, Any]) -> float | None:
    percent = detail.get("unexpected_percent")
    if not isinstance(percent, int | float):
        return None
    return percent / 100


def _unexpected(kind: str, detail: Mapping[str, Any]) -> int | None:
    if kind == "unexpected_rows_expectation":
        return _whole(detail.get("observed_value"))
    return _whole(detail.get("unexpected_count"))


def _whole(count: object) -> int | None:
    """Return a count; nothing where an expectation of somebody's own puts a value there."""
    if isinstance(count, int) and not isinstance(count, bool):
        return count
    return None


def _exception(result: Any, known: Sequence[str], *, discreet: bool) -> str | None:
    """Return in one line why an expectation could not be judged.

    :param discreet: whether the suite has ``pii`` columns: to judge one column may mean to compute
        them all, and what raises then quotes any of them.
    """
    message = _message(result.exception_info)
    if message is None:
        return None
    asked = columns_of(result.expectation_config.kwargs)
    missing = [column for column in asked if column not in known]
    if missing:
        absent = ", ".join(map(repr, missing))
        text = f"column {absent} is not in the data; columns: {', '.join(known)}"
    elif discreet:
        text = _RAISED
    else:
        text = _decisive(message)
    return brief(" ".join(text.split()), _LONGEST_EXCEPTION)


def _decisive(message: str) -> str:
    for pattern in _DECISIVE:
        match = pattern.search(message)
        if match:
            return match.group(1)
    return _NO_TEXT


def _message(info: Any) -> str | None:
    """Return the text of an exception that GX notes either once or by metric."""
    if not info:
        return None
    notes = _fields(info)
    for note in (notes, *notes.values()):
        text = _fields(note).get("exception_message")
        if text is not None:
            return str(text)
    return None


def _fields(note: Any) -> Mapping[str, Any]:
    """Return what a note says: GX notes in dictionaries and in objects of its own."""
    if isinstance(note, Mapping):
        return note
    return getattr(note, "__dict__", {})
