"""From Great Expectations' results to the verdict: decided by severity, handed on as numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tidegate.contract import Expectation, Json, Judgement, Suite, Verdict, brief, columns_of
from tidegate.driver.gate.bounded import bounded, shown_kwargs
from tidegate.driver.gate.document import Entry, hidden_columns

_LONGEST_EXCEPTION = 300
_LONGEST_EXAMPLE = 40
_EXAMPLES = 3
_NO_TEXT = "raised without a text"
_WITHHELD = "raised; its text is withheld, as the column is marked pii"
_CONDITION = re.compile(r"\[[A-Z][A-Z0-9_.]+\]")
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
        hidden = hidden_columns(suite, entry)
        judged.append(_expectation(place, entry, result, hidden, known))
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
    place: int, entry: Entry, result: Any, hidden: frozenset[str], known: Sequence[str]
) -> Expectation:
    configuration = result.expectation_config
    kwargs = configuration.kwargs
    detail = result.result or {}
    secret = is_secret(kwargs, hidden)
    missing = [column for column in columns_of(kwargs) if column not in known]
    shown = _Values(None, ())
    if not secret:
        shown = _Values(bounded(detail.get("observed_value")), examples(detail))
    return Expectation(
        id=str(entry.get("id") or place),
        type=configuration.type,
        severity=entry.get("severity", "critical"),
        success=bool(result.success),
        kwargs=shown_kwargs(kwargs, secret),
        observed=shown.observed,
        unexpected=_unexpected(configuration.type, detail),
        share=_share(detail),
        elements=detail.get("element_count"),
        examples=shown.examples,
        exception=_exception(result.exception_info, missing, known, secret),
        withheld=secret,
    )


def is_secret(kwargs: Mapping[str, Any], hidden: frozenset[str]) -> bool:
    """Tell whether the values an expectation on these ``kwargs`` looks at must not be shown.

    A query of its own may look at any column; a row condition looks at those that it names.
    """
    if not hidden:
        return False
    if any("query" in key for key in kwargs):
        return True
    if not hidden.isdisjoint(columns_of(kwargs)):
        return True
    condition = str(kwargs.get("row_condition", ""))
    return any(column in condition for column in hidden)


def examples(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """Return at most three of the unexpected values, each at most forty characters long."""
    listed = detail.get("partial_unexpected_list") or ()
    seen = [value for value in listed if value is not None]
    return tuple(brief(value, _LONGEST_EXAMPLE) for value in seen[:_EXAMPLES])


def _share(detail: Mapping[str, Any]) -> float | None:
    percent: float | None = detail.get("unexpected_percent")
    if percent is None:
        return None
    return percent / 100


def _unexpected(kind: str, detail: Mapping[str, Any]) -> int | None:
    if kind == "unexpected_rows_expectation":
        return detail.get("observed_value")
    return detail.get("unexpected_count")


def _exception(info: Any, missing: Sequence[str], known: Sequence[str], secret: bool) -> str | None:
    message = _message(info)
    if message is None:
        return None
    if missing:
        absent = ", ".join(map(repr, missing))
        text = f"column {absent} is not in the data; columns: {', '.join(known)}"
    elif secret:
        text = _condition(message)
    else:
        text = _decisive(message)
    return brief(" ".join(text.split()), _LONGEST_EXCEPTION)


def _condition(message: str) -> str:
    """Return Spark's error condition alone: its text quotes the value that it could not take."""
    named = _CONDITION.search(message)
    if named is None:
        return _WITHHELD
    return named.group()


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
