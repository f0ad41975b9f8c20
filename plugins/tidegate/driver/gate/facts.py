"""What a store knows of staged data without reading it: the first witness of a gate."""

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What the files' own metadata say of one column.

    :param nulls: how many values are null.
    :param nans: how many are NaN; None if nobody counted.
    :param low: the smallest value that is neither null nor NaN, exactly; None if it is not known.
    :param high: the largest of them.
    """

    nulls: int
    nans: int | None = None
    low: object = None
    high: object = None


Texts = Mapping[str, Collection[str]]
"""Every value that columns of text have but null, by the column's name."""


def _none(columns: Set[str]) -> Texts:
    return {}


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What the files themselves say of staged data: its rows, and the columns that they know.

    :param texts: returns, of the columns asked for, those whose values the files list.
    """

    rows: int
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    texts: Callable[[Set[str]], Texts] = _none
