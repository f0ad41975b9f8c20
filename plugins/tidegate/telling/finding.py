"""Words for what was seen of one expectation: the share first, and never a rounder one than true.

As in ``dep_time: 51 % null (472 of 930), <= 20 % allowed``.
"""

from collections.abc import Mapping
from textwrap import shorten

from tidegate.contract import Expectation, Json, brief, number, plain
from tidegate.telling.lines import columns, middle
from tidegate.telling.wording import argument, asked, bound, interval, subject, when

_LONGEST = 120
_LONGEST_SENTENCE = 220
_SHORT = 20
"""Columns: a list or pattern up to that stands before the numbers, a longer one after them."""
_DIFFERENT = "repeated within the row"
_WRONG = {
    "expect_column_values_to_not_be_null": "null",
    "expect_column_values_to_be_null": "not null",
    "expect_column_values_to_be_unique": "not unique",
    "expect_compound_columns_to_be_unique": "not unique",
    "expect_select_column_values_to_be_unique_within_record": _DIFFERENT,
    "expect_multicolumn_values_to_be_unique": _DIFFERENT,
    "expect_multicolumn_values_to_be_equal": "not equal within the row",
    "expect_multicolumn_sum_to_equal": "with a sum other than",
    "expect_column_pair_values_to_be_equal": "A != B",
    "expect_column_pair_values_to_be_in_set": "not in",
    "expect_column_values_to_be_in_set": "not in",
    "expect_column_values_to_not_be_in_set": "in",
    "expect_column_values_to_match_regex": "do not match",
    "expect_column_values_to_match_regex_list": "do not match",
    "expect_column_values_to_not_match_regex": "match",
    "expect_column_values_to_not_match_regex_list": "match",
    "expect_column_values_to_match_like_pattern": "not like",
    "expect_column_values_to_match_like_pattern_list": "not like",
    "expect_column_values_to_not_match_like_pattern": "like",
    "expect_column_values_to_not_match_like_pattern_list": "like",
    "expect_column_value_lengths_to_equal": "of a length other than",
    "expect_column_value_z_scores_to_be_less_than": "of a z-score not below",
    "expect_column_values_to_be_json_parseable": "no JSON",
    "expect_column_values_to_be_dateutil_parseable": "no dates",
    "unexpected_rows_expectation": "found, none asked of",
}
"""By type: what the share of the guilty is, before the argument that says it whole."""
_BEYOND = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
"""What lies outside of a range with one end."""
_A_GREATER = {False: "A <= B", True: "A < B"}
"""What breaks ``A > B``, by ``or_equal``."""


def sentence(e: Expectation) -> str:
    """Return name, finding and examples, in one line of at most 220 characters."""
    told = f"{subject(e)}: {finding(e)}{shown(e)}"
    return shorten(plain(told), _LONGEST_SENTENCE, placeholder=" …")


def shown(e: Expectation) -> str:
    """Return the examples, as in ``, e.g. 1048.36``; empty if there are none."""
    if not e.examples:
        return ""
    return f", e.g. {', '.join(e.examples)}"


def finding(e: Expectation) -> str:
    """Return what was seen and, if it is not all as expected, what was asked."""
    if e.exception is not None:
        return f"could not be judged: {e.exception}"
    if e.unexpected == 0 and e.success:
        return bound(e) or "all hold"
    if e.unexpected is None:
        return _valued(e)
    return _guilty(e)


def observed(e: Expectation) -> str:
    """Return what was seen: a value, or the share of what is not as expected."""
    if e.observed is not None:
        return brief(e.observed, _LONGEST)
    if e.share is not None:
        return _guilty(e)
    if e.withheld and e.exception is None:
        return "withheld (pii)"
    return ""


def percent(share: float) -> str:
    """Return a share as a person reads it: ``0 %`` is none, ``100 %`` is all, and no other is."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    told = share * 100
    if 10 <= told <= 99 or not 0 <= told <= 100:
        return f"{told:.0f} %"
    return f"{told:.1f}".removesuffix(".0") + " %"


def _valued(e: Expectation) -> str:
    seen = middle(observed(e), 40)
    told = bound(e)
    if not told:
        return seen
    return f"{seen} (asked {told.removeprefix('= ')})".strip()


def _guilty(e: Expectation) -> str:
    """Return ``51 % null (472 of 930), <= 20 % allowed, where …``."""
    share, of = _counted(e)
    word, what = _wrong(e.type, e.kwargs)
    told = f"{share} {word}"
    last = ""
    if columns(what) > _SHORT:
        last = f": {what}"
    elif what:
        told += f" {what}"
    parts = [f"{told}{of}", _allowed(e.kwargs.get("mostly")), when(e.kwargs)]
    return ", ".join(filter(None, parts)) + last


def _counted(e: Expectation) -> tuple[str, str]:
    """Return ``51 %`` and `` (472 of 930)``.

    Nulls that the rule did not look at are not among the latter.
    """
    if e.share is None:
        return f"{e.unexpected:,}", ""
    if e.unexpected is None:
        return percent(e.share), ""
    known = (e.elements, _behind(e.unexpected, e.share))
    looked = [count for count in known if count is not None]
    if not looked:
        return percent(e.share), f" ({e.unexpected:,})"
    return percent(e.share), f" ({e.unexpected:,} of {min(looked):,})"


def _behind(unexpected: int, share: float | None) -> int | None:
    """Return how many values a share is of."""
    if share is None or not 0 < share <= 1:
        return None
    return round(unexpected / share)


def _wrong(type_: str, kwargs: Mapping[str, Json]) -> tuple[str, str]:
    """Return what is said of those that are not as expected, and the argument of it."""
    if "bound" in kwargs:  # a report of protocol 1 brings its words
        return "not", str(kwargs["bound"])
    if type_.endswith("_a_to_be_greater_than_b"):
        return _A_GREATER[bool(kwargs.get("or_equal"))], ""
    if type_.endswith("_to_be_between"):
        return _outside(type_, kwargs), ""
    if type_ in _WRONG:
        return _WRONG[type_], argument(kwargs)
    told = asked(type_, kwargs)
    if not told:
        return "unexpected", ""
    return "not", told


def _outside(type_: str, kwargs: Mapping[str, Json]) -> str:
    told = interval(kwargs) or "the bounds"
    sign, _, end = told.partition(" ")
    if sign in _BEYOND:
        told = f"{_BEYOND[sign]} {end}"
    else:
        told = f"outside {told}"
    if "_lengths_" in type_:
        return f"of a length {told}"
    return told


def _allowed(mostly: Json) -> str:
    if isinstance(mostly, int | float) and mostly != 1:
        return f"<= {number((1 - mostly) * 100.0)} % allowed"
    return ""
