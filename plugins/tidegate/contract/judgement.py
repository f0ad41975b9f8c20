"""A judgement: what was asked, what was seen and what follows, as numbers.

The words for it are made in ``telling``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
Verdict = Literal["pass", "warn", "closed"]
Json = Any
"""A value that JSON can hold: None, bool, int, float, text, list or object of such."""

GRAVITY: tuple[Severity, ...] = ("critical", "warning", "info")
"""The severities, the gravest first."""
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "closed")
"""The verdicts, the gravest last."""
MORE = "more"
"""In a bounded list's place stands ``{"first": [...], "more": n}``, n the items left out."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One judged expectation.

    :param id: what names it within its suite: the suite's own id, else its place, from ``"1"``.
    :param kwargs: what was asked, as in the suite but bounded; no values where it looks at a
        ``pii`` column.
    :param observed: the observed value, bounded; None if there is none or if it is withheld.
    :param unexpected: how many values (rows, groups) were not as expected.
    :param share: those as a fraction of the values looked at, 0 to 1.
    :param elements: how many values (rows) there were.
    :param examples: at most three unexpected values as text, none for a ``pii`` column.
    :param exception: why it could not be judged, in one bounded line.
    :param withheld: whether values are left out, because it looks at a ``pii`` column.
    """

    id: str
    type: str
    severity: Severity
    success: bool
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    observed: Json = None
    unexpected: int | None = None
    share: float | None = None
    elements: int | None = None
    examples: tuple[str, ...] = ()
    exception: str | None = None
    withheld: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at: one, a pair, a list, or none for the whole table."""
        return columns_of(self.kwargs)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A suite's verdict.

    It is ``closed`` if a critical expectation failed, ``warn`` if a warning did, else ``pass``.
    """

    verdict: Verdict
    expectations: tuple[Expectation, ...] = ()

    @property
    def gravity(self) -> int:
        """How grave the verdict is, from 0."""
        return VERDICTS.index(self.verdict)

    @property
    def gravest_first(self) -> tuple[Expectation, ...]:
        """All expectations: those that did not hold first, the gravest before all."""
        return (*self.failed, *(each for each in self.expectations if each.success))

    @property
    def failed(self) -> tuple[Expectation, ...]:
        """The expectations that did not hold, the gravest first."""
        missed = [each for each in self.expectations if not each.success]
        return tuple(sorted(missed, key=lambda each: GRAVITY.index(each.severity)))


def columns_of(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns an expectation looks at; none if it looks at the whole table."""
    named = [kwargs.get(key) for key in ("column", "column_A", "column_B")]
    listed = kwargs.get("column_list")
    if isinstance(listed, Mapping):  # a bounded list
        listed = listed.get("first")
    if isinstance(listed, list | tuple):
        named += listed
    columns = [column for column in named if isinstance(column, str)]
    return tuple(columns)
