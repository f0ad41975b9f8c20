"""From Great Expectations' results to the verdict: decided by severity, handed on as numbers."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from tidegate.contract import Expectation, Judgement, Suite, Verdict, brief, columns_of
from tidegate.driver.gate.bounded import bounded, shown_kwargs
from tidegate.driver.gate.document import Entry, hidden_columns

_LONGEST_EXCEPTION = 300
_CONDITION = re.compile(r"\[[A-Z][A-Z0-9_.]+\]")
_DECISIVE = (
    re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(\S.*)"),
    re.compile(r"Job aborted due to stage failure.*executor [^)]*\): (.*)"),
    re.compile(r"(\S.*)"),
)
"""Where the line that says why stands: under a Python traceback, in a failed task's story, or right at the front."""


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
    """Return ``closed`` if a critical expectation failed, ``warn`` if a warning did, else ``pass``."""
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
    percent = detail.get("unexpected_percent")
    missing = [column for column in columns_of(kwargs) if column not in known]
    return Expectation(
        id=str(entry.get("id") or place),
        type=configuration.type,
        severity=entry.get("severity", "critical"),
        success=bool(result.success),
        kwargs=shown_kwargs(kwargs, secret),
        observed=None if secret else bounded(detail.get("observed_value")),
        unexpected=_unexpected(configuration.type, detail),
        share=None if percent is None else percent / 100,
        elements=detail.get("element_count"),
        examples=() if secret else examples(detail),
        exception=_exception(result.exception_info, missing, known, secret),
        withheld=secret,
    )


def is_secret(kwargs: Mapping[str, Any], hidden: frozenset[str]) -> bool:
    """Tell whether the values an expectation on these ``kwargs`` looks at must not be shown.

    A query of its own may look at any column; a row condition looks at those that it names.
    """
    if not hidden:
        return False
    asks_itself = any("query" in key for key in kwargs)
    condition = str(kwargs.get("row_condition", ""))
    return asks_itself or any(
        column in columns_of(kwargs) or column in condition for column in hidden
    )


def examples(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """Return at most three of the unexpected values, each at most forty characters long."""
    seen = (value for value in detail.get("partial_unexpected_list") or () if value is not None)
    return tuple(brief(value, 40) for value in islice(seen, 3))


def _unexpected(kind: str, detail: Mapping[str, Any]) -> int | None:
    if kind == "unexpected_rows_expectation":
        return detail.get("observed_value")
    return detail.get("unexpected_count")


def _exception(info: Any, missing: Sequence[str], known: Sequence[str], secret: bool) -> str | None:
    message = _message(info)
    if message is None:
        return None
    if missing:
        text = f"column {', '.join(map(repr, missing))} is not in the data; columns: {', '.join(known)}"
    elif secret:  # Spark quotes the value it could not take
        named = _CONDITION.search(message)
        text = (
            named.group() if named else "raised; its text is withheld, as the column is marked pii"
        )
    else:
        found = (pattern.search(message) for pattern in _DECISIVE)
        text = next((match.group(1) for match in found if match), "raised without a text")
    return brief(" ".join(text.split()), _LONGEST_EXCEPTION)


def _message(info: Any) -> str | None:
    """Return the text of an exception that GX notes either once or by metric."""
    notes = info if isinstance(info, Mapping) else vars(info) if info else {}
    for note in (notes, *notes.values()):
        text = (
            note.get("exception_message")
            if isinstance(note, Mapping)
            else getattr(note, "exception_message", None)
        )
        if text is not None:
            return str(text)
    return None
