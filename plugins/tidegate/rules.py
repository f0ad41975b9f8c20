"""What a failure is known by: an exception as a fact, and a rule that recognises it."""

from dataclasses import dataclass
from typing import Literal

from tidegate.errors import TidegateError

Reading = Literal["text", "condition", "sqlstate", "judging", "tail"]


@dataclass(frozen=True)
class Fact:
    """One exception of a cause chain."""

    name: str
    text: str
    condition: str | None = None
    sqlstate: str | None = None
    place: str = ""
    """The piece of a query that it is about."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to know a failure.

    :param by: what ``pattern`` is matched against: the ``text`` of the whole chain of exceptions,
        any ``condition`` in it from its start, the deciding exception's ``sqlstate`` from its
        start, the text of one exception met while ``judging``, or the ``tail`` of the output that
        a driver without a report left.
    :param machinery: whether it says nothing about the data or the suite, also while judging.
    """

    by: tuple[Reading, ...]
    pattern: str
    error: type[TidegateError]
    means: str
    machinery: bool = False
