"""Data Docs: the judgement as Great Expectations' own HTML page, without what it must not show."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from tidegate.contract import Suite, columns_of
from tidegate.driver.gate.bounded import WITHHELD, shown_kwargs
from tidegate.driver.gate.gx import ExpectationConfiguration, html_of
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
        each = _without_values(result) if is_secret(suite, entry, result) else _cut_short(result)
        if suite.has_pii and _raised(each.exception_info):
            each.exception_info = dict(_RAISED)
        shown.append(each)
    return html_of(suite.name, shown)


def _cut_short(result: Any) -> Any:
    shown = deepcopy(result)
    shown.result = _cut(shown.result or {})
    return shown


def _without_values(result: Any) -> Any:
    shown = deepcopy(result)
    detail = shown.result or {}
    shown.result = {key: value for key, value in detail.items() if key in _COUNTS}
    asked = shown_kwargs(shown.expectation_config.kwargs, secret=True)
    if WITHHELD in asked.values():
        shown.expectation_config = _without_arguments(shown.expectation_config)
    return shown


def _without_arguments(configuration: Any) -> Any:
    """Return what Great Expectations' page can show in the place of an expectation.

    It takes no arguments but those that the type of an expectation takes, so it is given a type
    that has none, and the real one by its name.
    """
    columns = columns_of(configuration.kwargs)
    kind = "expect_table_row_count_to_be_between"
    kwargs = {}
    if columns:
        kind = "expect_column_to_exist"
        kwargs = {"column": ", ".join(columns)}
    return ExpectationConfiguration(
        type=kind,
        kwargs=kwargs,
        description=f"{configuration.type}: arguments {WITHHELD}",
        severity=configuration.severity,
        id=configuration.id,
    )


def _raised(info: Any) -> bool:
    return bool(info) and bool(dict(info).get("raised_exception", True))


def _cut(value: Any) -> Any:
    """Return ``value`` with every list in it cut to its first three items."""
    if isinstance(value, Mapping):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value[:_SHOWN]]
    return value
