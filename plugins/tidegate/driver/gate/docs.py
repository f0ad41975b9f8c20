"""Data Docs: the judgement as Great Expectations' own HTML page, without what it must not show."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from tidegate.contract import Suite
from tidegate.driver.gate.bounded import WITHHELD
from tidegate.driver.gate.document import hidden_columns
from tidegate.driver.gate.gx import html_of
from tidegate.driver.gate.verdict import is_secret

_SHOWN = 3
_COUNTS = frozenset(
    {"element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent"}
    | {"unexpected_percent_total", "unexpected_percent_nonmissing"}
)

_RAISED = {
    "raised_exception": True,
    "exception_message": WITHHELD,
    "exception_traceback": "",
}


def page(suite: Suite, results: Sequence[Any]) -> str:
    """Return the HTML page of ``results``, which stand in the order of the suite's expectations."""
    entries = suite.document["expectations"]
    shown = []
    for entry, result in zip(entries, results, strict=True):
        shown.append(_shown(result, hidden_columns(suite, entry)))
    return html_of(suite.name, shown)


def _shown(result: Any, hidden: frozenset[str]) -> Any:
    shown = deepcopy(result)
    detail = shown.result or {}
    if not is_secret(shown.expectation_config.kwargs, hidden):
        shown.result = _cut(detail)
        return shown
    shown.result = {key: value for key, value in detail.items() if key in _COUNTS}
    if _raised(shown.exception_info):
        shown.exception_info = dict(_RAISED)
    return shown


def _raised(info: Any) -> bool:
    return bool(info) and bool(dict(info).get("raised_exception", True))


def _cut(value: Any) -> Any:
    """Return ``value`` with every list in it cut to its first three items."""
    if isinstance(value, Mapping):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value[:_SHOWN]]
    return value
