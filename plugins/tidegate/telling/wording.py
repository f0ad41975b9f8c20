"""Words for one expectation: what it asks and what was seen, short enough for a card."""

from collections.abc import Mapping
from textwrap import shorten

from tidegate.contract import Expectation, Json, brief, number, plain

PAGE_LINK = "Gate report"
"""What the link to the report's page is called on the task's page in Airflow."""
_LONGEST = 120
_LONGEST_SENTENCE = 220
_NOT_A_BOUND = frozenset(
    {"column", "column_A", "column_B", "column_list", "mostly", "row_condition"}
    | {"condition_parser", "ignore_row_if", "result_format", "catch_exceptions"}
    | {"strict_min", "strict_max"}
)
_FIXED = {
    "expect_column_values_to_not_be_null": "not null",
    "expect_column_values_to_be_null": "null",
    "expect_column_values_to_be_unique": "unique",
    "expect_compound_columns_to_be_unique": "unique together",
    "expect_select_column_values_to_be_unique_within_record": "different within each row",
    "expect_multicolumn_values_to_be_unique": "different within each row",
    "expect_multicolumn_values_to_be_equal": "equal within each row",
    "expect_column_to_exist": "exists",
    "expect_column_values_to_be_increasing": "increasing",
    "expect_column_values_to_be_decreasing": "decreasing",
    "expect_column_pair_values_to_be_equal": "A = B",
}
_BY_ARGUMENT = {
    "value_set": "in",
    "column_set": "columns",
    "regex": "matches",
    "regex_list": "matches",
    "like_pattern": "like",
    "value": "=",
    "sum_total": "sum =",
    "type_": "type",
    "type_list": "type in",
    "threshold": "threshold",
    "unexpected_rows_query": "no rows from",
}

_NO_SUBJECT = {"values": "", "column": ""}
_GREATER = {False: "A > B", True: "A >= B"}
"""By ``or_equal``."""


def rule(e: Expectation) -> str:
    """Return ``wind_speed must be between`` for a ``…_values_to_be_between`` on that column."""
    subject, _, verb = e.type.removeprefix("expect_").partition("_to_")
    subject = subject.removeprefix("column_").replace("_", " ").strip()
    subject = f"{', '.join(e.columns)} {_NO_SUBJECT.get(subject, subject)}".strip()
    if not verb:
        return subject
    return f"{subject} must {verb.replace('_', ' ')}"


def sentence(e: Expectation) -> str:
    """Return rule, bound, what was seen and examples, in one line of at most 220 characters."""
    told = f"{rule(e)} ({bound(e)}): {_seen(e)}"
    if e.examples:
        told += f", e.g. {', '.join(e.examples)}"
    return shorten(plain(told), _LONGEST_SENTENCE, placeholder=" …")


def _seen(e: Expectation) -> str:
    if e.exception is not None:
        return e.exception
    if e.unexpected is None:
        return f"observed {observed(e)}"
    share = ""
    if e.share is not None:
        share = f" ({e.share:.2%})"
    if e.unexpected == 1:
        return f"1 row{share} is not"
    return f"{e.unexpected:,} rows{share} are not"


def bound(e: Expectation) -> str:
    """Return what is asked, as in ``0 .. 100``, ``in {a, b, c, … 9 more}`` or ``matches ^x$``."""
    kwargs = e.kwargs
    if "bound" in kwargs:  # a report of protocol 1 brings its words
        return str(kwargs["bound"])
    asked = _asked(e.type, kwargs)
    parts = [asked, _share(kwargs.get("mostly")), _when(kwargs.get("row_condition"))]
    return brief(", ".join(filter(None, parts)), 2 * _LONGEST)


def _asked(type_: str, kwargs: Mapping[str, Json]) -> str:
    asked = _FIXED.get(type_) or _range(kwargs) or _argument(type_, kwargs) or _rest(kwargs)
    if not asked and "column_list" in kwargs:
        return f"columns {brief(kwargs['column_list'], _LONGEST)}"
    return asked


def _share(mostly: Json) -> str:
    if isinstance(mostly, int | float) and mostly != 1:
        return f">= {number(mostly * 100)} %"
    return ""


def _when(condition: Json) -> str:
    if isinstance(condition, Mapping):
        told = condition.get("filter") or condition.get("pass_through_filter") or dict(condition)
        return f"where {brief(told, _LONGEST)}"
    if condition:
        return f"where {brief(condition, _LONGEST)}"
    return ""


def _range(kwargs: Mapping[str, Json]) -> str:
    low = kwargs.get("min_value")
    high = kwargs.get("max_value")
    strict = kwargs.get("strict_min") or kwargs.get("strict_max")
    if None not in (low, high) and not strict:
        return f"{brief(low, 2 * _LONGEST)} .. {brief(high, 2 * _LONGEST)}"
    return ", ".join(filter(None, (_end(kwargs, "min", ">"), _end(kwargs, "max", "<"))))


def _end(kwargs: Mapping[str, Json], end: str, sign: str) -> str:
    """Return one end of a range, as in ``>= 3``; empty if it is open."""
    value = kwargs.get(f"{end}_value")
    if value is None:
        return ""
    if not kwargs.get(f"strict_{end}"):
        sign += "="
    return f"{sign} {brief(value, 2 * _LONGEST)}"


def _argument(type_: str, kwargs: Mapping[str, Json]) -> str:
    if type_.endswith("_a_to_be_greater_than_b"):
        return _GREATER[bool(kwargs.get("or_equal"))]
    given = [name for name in _BY_ARGUMENT if name in kwargs]
    if not given:
        return ""
    told = f"{_BY_ARGUMENT[given[0]]} {brief(kwargs[given[0]], _LONGEST)}"
    if "_not_" in type_:
        return f"not {told}"
    return told


def _rest(kwargs: Mapping[str, Json]) -> str:
    given = [name for name in kwargs if name not in _NOT_A_BOUND]
    return ", ".join(f"{name} = {brief(kwargs[name], 40)}" for name in given)


def observed(e: Expectation) -> str:
    """Return what was seen: a value, or the share of unexpected values."""
    if e.observed is not None:
        return brief(e.observed, _LONGEST)
    if e.share is not None:
        return f"{number(e.share * 100)} % unexpected"
    if e.withheld and e.exception is None:
        return "withheld (pii)"
    return ""
