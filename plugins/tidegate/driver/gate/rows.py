"""Which rows broke the rules that look at a row by itself: for whoever takes them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F


@dataclass(frozen=True)
class RowRule:
    """A rule that some rows broke, each by itself.

    :param broken: the condition on those rows; null for a row that it says nothing of.
    """

    type: str
    columns: tuple[str, ...]
    broken: Column


def any_of(rules: Sequence[RowRule]) -> Column:
    """Return whether a row breaks one of the rules."""
    return reduce(or_, [F.coalesce(rule.broken, F.lit(False)) for rule in rules])
