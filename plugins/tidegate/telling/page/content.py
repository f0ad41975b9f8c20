"""What the page says, as plain values: its template makes no decision about words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from tidegate.contract import Expectation, Failure, Judgement, Report, brief, number
from tidegate.errors import BY_NAME, GateClosed, TidegateError
from tidegate.telling.advice import ADVICE
from tidegate.telling.card import retry, verdict_of
from tidegate.telling.finding import observed, sentence
from tidegate.telling.page.facts import (
    Fact,
    attempt_facts,
    given,
    input_rows,
    output_facts,
    readers_still_see,
    spark_facts,
)
from tidegate.telling.page.stream import batch_rows, stream_facts
from tidegate.telling.wording import bound, rule

_MOST_REASONS = 4
_LONGEST_SEEN = 200
_TITLES = {
    "published": {"warn": "Published with a warning", "pass": "Published"},
    "passed": {"warn": "Passed with a warning", "pass": "Passed"},
    "held": {"closed": "Gate closed"},
}
"""The page's title, by outcome and verdict."""
_TONES = {"held": "closed", "failed": "failed"}
"""What colours the page of an attempt that did not go through; of another, its verdict does."""
_NO_FAILURE = Failure(type="", message="")
_NOTHING_JUDGED = Judgement(verdict="pass")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One expectation; ``share`` is empty if there is none; ``width`` is a bar's, 0 to 100."""

    mark: str
    tone: str
    severity: str
    rule: str
    type: str
    bound: str
    seen: str
    share: str
    width: float
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step and its seconds; ``width`` is its part of the whole, 0 to 100."""

    name: str
    seconds: str
    width: float


def content(report: Report) -> Mapping[str, Any]:
    """Return everything that the template asks for."""
    tone = _TONES.get(report.outcome, report.verdict or "pass")
    judgement = report.judgement or _NOTHING_JUDGED
    failure = report.failure or _NO_FAILURE
    return {
        "tone": tone,
        "title": _title(report, tone),
        "attempt": report.attempt,
        "reasons": _reasons(report, judgement),
        "next": _next(report),
        "failure": _failure(failure),
        "trace": (failure.trace or "").splitlines(),
        "count": _count(judgement),
        "rows": _rows(judgement),
        "stream": stream_facts(report.flow),
        "batches": batch_rows(report.flow),
        "inputs": input_rows(report),
        "output": output_facts(report),
        "steps": _steps(report.steps),
        "whole": f"{sum(report.steps.values()):.1f} s",
        "spark": spark_facts(report.spark),
        "facts": attempt_facts(report),
    }


def _title(report: Report, tone: str) -> str:
    if report.failure:
        return f"Failed: {report.failure.type}"
    return _TITLES[report.outcome][tone]


def _reasons(report: Report, judgement: Judgement) -> list[str]:
    """Return the first things to read: what decided."""
    if report.failure:
        # Lines are parted by \n alone: whatever else a terminal takes for a line's end is spelled.
        return report.failure.message.split("\n")[:_MOST_REASONS]
    told = [sentence(each) for each in judgement.failed[:_MOST_REASONS]]
    left_out = len(judgement.failed) - len(told)
    if left_out:
        told.append(f"… and {left_out} more, below")
    if report.output and report.output.note:
        told.append(report.output.note)
    return told or [_count(judgement)]


def _next(report: Report) -> list[Fact]:
    """Return what to do and whether it is tried again, for an attempt that did not go through."""
    if report.outcome not in _TONES:
        return []
    error: type[TidegateError] = GateClosed
    if report.failure:
        error = BY_NAME[report.failure.type]
    advice = ADVICE[error]
    return [*readers_still_see(report), ("Next", advice.do), ("Retry", retry(advice))]


def _failure(failure: Failure) -> list[Fact]:
    return given(
        ("Class", failure.type),
        ("Message", failure.message.replace("\n", " ")),
        ("Cause", failure.cause),
        ("Spark's condition", failure.condition),
        ("SQLSTATE", failure.sqlstate),
    )


def _count(judgement: Judgement) -> str:
    """Return how many expectations hold, and how many of each severity do not."""
    count = len(judgement.expectations)
    if not count:
        return "Nothing was judged."
    missed = Counter(each.severity for each in judgement.failed)
    told = [f"{count - missed.total()} of {count} expectations hold"]
    told += [f"{times} {severity} missed" for severity, times in missed.items()]
    return ", ".join(told)


def _rows(judgement: Judgement) -> list[Row]:
    """Return every expectation: those that do not hold first, the gravest before all."""
    return list(map(_row, judgement.gravest_first))


def _row(e: Expectation) -> Row:
    mark = verdict_of(e)
    return Row(
        mark=mark,
        tone=mark.lower(),
        severity=e.severity,
        rule=rule(e),
        type=e.type,
        bound=bound(e),
        seen=_seen(e),
        share=_share(e.share),
        width=clamped((e.share or 0.0) * 100),
        examples=e.examples,
    )


def _seen(e: Expectation) -> str:
    if e.exception is not None:
        return f"could not be judged: {e.exception}"
    if e.observed is not None or e.unexpected is None:
        return brief(observed(e), _LONGEST_SEEN)
    return _counted(e.unexpected, e.elements)


def _counted(unexpected: int, elements: int | None) -> str:
    if elements is None:
        return f"{unexpected:,} do not hold"
    if unexpected == 0:
        return f"all {elements:,} hold"
    return f"{unexpected:,} of {elements:,} do not hold"


def _share(share: float | None) -> str:
    if share is None:
        return ""
    if 0 < share < 0.0001:
        return "< 0.01 %"
    return f"{number(round(share * 100, 2))} %"


def _steps(steps: Mapping[str, float]) -> list[Step]:
    longest = max([0.01, *steps.values()])
    told = []
    for name, seconds in steps.items():
        width = clamped(seconds / longest * 100)
        told.append(Step(name=name, seconds=f"{seconds:.1f} s", width=width))
    return told


def clamped(percent: float) -> float:
    """Return a percentage as a bar can show it."""
    if not isfinite(percent):
        return 0.0
    return round(min(max(percent, 0.0), 100.0), 1)
