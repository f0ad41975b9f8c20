"""What a store knows of staged data without reading it: the first witness of a gate."""

from collections.abc import Mapping
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


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What the files' own metadata say of staged data: its rows, and the columns that they know."""

    rows: int
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
