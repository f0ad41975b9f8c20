"""A few of many cases for ``make test``; the rest are marked slow, for ``make test-all``."""

from collections.abc import Container, Iterable
from random import Random
from typing import Any

import pytest

SEED = 2013


def only(cases: Iterable[Any], kept: Container[Any]) -> list[Any]:
    """Return the cases as parameters of a test; those that are not kept are marked slow."""
    return [_case(case, case in kept) for case in cases]


def thinned(cases: Iterable[Any], keep: int) -> list[Any]:
    """Return the cases as parameters of a test; all but so many are marked slow.

    Which ones are kept depends on how many there are alone: it is the same in every run.
    """
    given = list(cases)
    kept = Random(SEED).sample(range(len(given)), keep)
    return [_case(case, place in kept) for place, case in enumerate(given)]


def _case(case: Any, is_kept: bool) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    if is_kept:
        return pytest.param(*values)
    return pytest.param(*values, marks=pytest.mark.slow)
