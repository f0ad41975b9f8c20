"""How a stage merges rows into a table: by which keys, with which deletes, and what is judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tidegate.errors import require

Judged = Literal["rows", "table"]


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Rows of the table with a key of the output are replaced whole, all other rows are added.

    :param keys: the columns that name a row.
    :param deletes: a boolean column of the output, which is not stored: where it is true, the row
        with that key is removed, if there is one.
    :param judge: what the gate sees: the ``rows`` that are written, or the ``table`` that comes of
        them.
    :raises SpecError: if the keys are no list of distinct names, or the rest is of another shape.
    """

    keys: Sequence[str]
    deletes: str | None = None
    judge: Judged = "rows"

    def __post_init__(self) -> None:
        is_list = isinstance(self.keys, list | tuple) and len(self.keys) > 0
        told = f"keys={self.keys!r}; list the columns that name a row, e.g. keys=['id']"
        require(is_list and all(map(_is_name, self.keys)), told)
        folded = {key.lower() for key in self.keys}
        require(len(folded) == len(self.keys), f"keys={self.keys!r}; name each column once")
        told = f"deletes={self.deletes!r}; name a boolean column of the output that is no key"
        given = self.deletes
        require(given is None or (_is_name(given) and given.lower() not in folded), told)
        require(self.judge in get_args(Judged), f"judge={self.judge!r}; use 'rows' or 'table'")
        object.__setattr__(self, "keys", tuple(self.keys))


def merge_of(mode: object, keys: Any) -> Merge | None:
    """Return the merge that a stage's ``mode`` and ``keys`` ask for; None if they ask for none.

    :raises SpecError: if one of the two lacks the other.
    """
    if mode in ("merge", "update"):
        told = f"mode={mode!r} needs the columns that name a row, e.g. keys=['id']"
        require(keys is not None, told)
        return Merge(keys=keys)
    told = (
        f"keys={keys!r} go with mode='merge', of a stream 'update'; "
        "with a Merge, they are its own: Merge(keys=…)"
    )
    require(keys is None, told)
    if isinstance(mode, Merge):
        return mode
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
