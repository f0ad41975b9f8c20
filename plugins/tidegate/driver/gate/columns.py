"""Which columns a table lacks, has too many, or has in another place, by their names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.contract import brief

_MOST = 3
_LONGEST = 100


def _of_set(found: Mapping[str, Sequence[str]], exact: bool) -> list[str]:
    missing = found.get("missing", ())
    told = [f"{name} missing" for name in missing]
    if exact:
        more = found.get("unexpected", ())
        told += [f"{name} not asked for" for name in more]
    return told


def _of_list(found: Sequence[Mapping[str, Any]], _exact: bool) -> list[str]:
    told = []
    for each in found:
        # The shorter of the two lists has nothing where the longer one goes on.
        here = each["Found"] or "nothing"
        asked = each["Expected"] or "nothing"
        told.append(f"{here} for {asked}")
    return told


_TOLD: Mapping[str, Callable[[Any, bool], list[str]]] = {
    "expect_table_columns_to_match_set": _of_set,
    "expect_table_columns_to_match_ordered_list": _of_list,
}


def columns_told(result: Any) -> tuple[str, ...]:
    """Return at most three columns, as in ``age missing``, that made an expectation fail.

    None of an expectation that held, or that is not about the names of all columns.
    """
    configuration = result.expectation_config
    tell = _TOLD.get(configuration.type)
    if tell is None or result.success:
        return ()
    # Without details if it raised.
    found = dict(result.result or {}).get("details", {}).get("mismatched", {})
    told = tell(found, configuration.kwargs.get("exact_match", True))
    first = told[:_MOST]
    return tuple(brief(each, _LONGEST) for each in first)
