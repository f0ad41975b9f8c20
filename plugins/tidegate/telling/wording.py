"""Words for what one expectation asks: its name, its rule and its bound."""

from collections.abc import Mapping

from tidegate.contract import Expectation, Json, brief, number

PAGE_LINK = "Gate report"
"""What the link to the report's page is called on the task's page in Airflow."""
_LONGEST = 120
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

_NO_SUBJECT = {
    "values": "",
    "column": "",
    "compound columns": "",
    "multicolumn": "",
    "multicolumn sum": "sum",
    "pair values": "",
    "pair values a": "",
    "select column values": "",
    "unexpected rows expectation": "query",
}
"""What says nothing beside the columns' names, and what says it shorter."""
_GREATER = {False: "A > B", True: "A >= B"}
"""By ``or_equal``."""
_OPENS = {False: "[", True: "("}
_CLOSES = {False: "]", True: ")"}
"""How the ends of a range are written, by whether they are outside of it."""


def rule(e: Expectation) -> str:
    """Return ``wind_speed must be between`` for a ``…_values_to_be_between`` on that column."""
    _, _, verb = e.type.partition("_to_")
    if not verb:
        return subject(e)
    return f"{subject(e)} must {verb.replace('_', ' ')}".strip()


def subject(e: Expectation) -> str:
    """Return what an expectation is about: ``wind_speed``, ``flights sum``, ``table row count``."""
    about, _, _ = e.type.removeprefix("expect_").partition("_to_")
    about = about.removeprefix("column_").replace("_", " ").strip()
    return f"{', '.join(e.columns)} {_NO_SUBJECT.get(about, about)}".strip()


def bound(e: Expectation) -> str:
    """Return what is asked, as in ``0 .. 100``, ``in {a, b, c, … 9 more}`` or ``matches ^x$``."""
    kwargs = e.kwargs
    if "bound" in kwargs:  # a report of protocol 1 brings its words
        return str(kwargs["bound"])
    parts = [asked(e.type, kwargs), _share(kwargs.get("mostly")), when(kwargs)]
    return brief(", ".join(filter(None, parts)), 2 * _LONGEST)


def asked(type_: str, kwargs: Mapping[str, Json]) -> str:
    """Return what must hold of each value, or of the one that is observed."""
    told = _FIXED.get(type_) or interval(kwargs) or _argument(type_, kwargs) or _rest(kwargs)
    if not told and "column_list" in kwargs:
        return f"columns {brief(kwargs['column_list'], _LONGEST)}"
    return told


def _share(mostly: Json) -> str:
    if isinstance(mostly, int | float) and mostly != 1:
        return f">= {number(mostly * 100)} %"
    return ""


def when(kwargs: Mapping[str, Json]) -> str:
    """Return which rows an expectation is about, as in ``where id > 1``; empty if all are."""
    condition = kwargs.get("row_condition")
    if isinstance(condition, Mapping):
        told = condition.get("filter") or condition.get("pass_through_filter") or dict(condition)
        return f"where {brief(told, _LONGEST)}"
    if condition:
        return f"where {brief(condition, _LONGEST)}"
    return ""


def interval(kwargs: Mapping[str, Json]) -> str:
    """Return a range, as in ``[0, 200]``, ``[0, 1)`` or ``>= 3``; empty if there is none."""
    low = kwargs.get("min_value")
    high = kwargs.get("max_value")
    if low is None or high is None:
        return _end(kwargs, "min", ">") or _end(kwargs, "max", "<")
    opens = _OPENS[bool(kwargs.get("strict_min"))]
    closes = _CLOSES[bool(kwargs.get("strict_max"))]
    return f"{opens}{brief(low, 2 * _LONGEST)}, {brief(high, 2 * _LONGEST)}{closes}"


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
    given = _given(kwargs)
    if not given:
        return ""
    told = f"{_BY_ARGUMENT[given[0]]} {argument(kwargs)}"
    if "_not_" in type_:
        return f"not {told}"
    return told


def argument(kwargs: Mapping[str, Json]) -> str:
    """Return the set, pattern or value that is asked for; empty if there is none."""
    given = _given(kwargs)
    if not given:
        return ""
    return brief(kwargs[given[0]], _LONGEST)


def _given(kwargs: Mapping[str, Json]) -> list[str]:
    return [name for name in _BY_ARGUMENT if name in kwargs]


def _rest(kwargs: Mapping[str, Json]) -> str:
    given = [name for name in kwargs if name not in _NOT_A_BOUND]
    return ", ".join(f"{name} = {brief(kwargs[name], 40)}" for name in given)
