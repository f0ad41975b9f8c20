"""The report: how one attempt of one stage went, written by the driver and read by the operator."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from tidegate.contract.spec import PROTOCOL, Attempt, Kind
from tidegate.errors import BY_NAME, TidegateError

SAYS = "tidegate| "
"""Begins each line of a driver's output that is meant for the task log."""

Severity = Literal["critical", "warning", "info"]
Verdict = Literal["pass", "warn", "closed"]
Outcome = Literal["published", "passed", "held", "failed"]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One judged expectation: what was asked, what was seen, and what follows from it.

    ``share`` is a fraction of rows, 0 to 1; ``examples`` are at most three values, none for a ``pii`` column.
    """

    type: str
    column: str
    severity: Severity
    success: bool
    bound: str
    observed: str
    unexpected: int | None = None
    share: float | None = None
    examples: tuple[str, ...] = ()
    exception: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A suite's verdict: ``closed`` if a critical expectation failed, ``warn`` if a warning did, else ``pass``."""

    verdict: Verdict
    expectations: tuple[Expectation, ...] = ()

    @property
    def failed(self) -> tuple[Expectation, ...]:
        """The expectations that did not hold, the gravest first."""
        gravity = ("critical", "warning", "info")
        missed = (e for e in self.expectations if not e.success)
        return tuple(sorted(missed, key=lambda e: gravity.index(e.severity)))


@dataclass(frozen=True, kw_only=True)
class Input:
    """One opened input and the snapshot it was read at (tables only)."""

    name: str
    source: str
    snapshot_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What became of a stage's output.

    ``version`` is the Iceberg snapshot id or MLflow model version that readers now see if published, or that is
    held if not; ``previous`` is what they saw before (still see, if held); ``held_at`` is where held data lies;
    ``verdict`` is an earlier try's, where this one found the work already judged.
    """

    target: str
    rows: int | None = None
    version: int | None = None
    previous: int | None = None
    held_at: str | None = None
    verdict: Verdict | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an attempt failed: a class of :mod:`tidegate.errors`, its text, and Spark's deciding line."""

    type: str
    message: str
    cause: str | None = None
    condition: str | None = None
    sqlstate: str | None = None
    trace: str | None = None

    def as_error(self) -> TidegateError:
        """Return this failure as the exception an operator raises."""
        return BY_NAME[self.type](self.message)


@dataclass(frozen=True, kw_only=True)
class Report:
    """How one attempt went. ``steps`` are seconds by step; ``spark`` holds the application's id and its measures."""

    attempt: Attempt
    kind: Kind
    outcome: Outcome
    judgement: Judgement | None = None
    inputs: tuple[Input, ...] = ()
    output: Output | None = None
    steps: Mapping[str, float] = field(default_factory=dict)
    spark: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    protocol: int = PROTOCOL

    def to_json(self) -> str:
        """Return this report as a JSON document."""
        return json.dumps(asdict(self), indent=1, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: if the document is no report of this protocol version.
        """
        data = json.loads(text)
        if data.get("protocol") != PROTOCOL:
            raise ValueError(f"report of protocol {data.get('protocol')}, expected {PROTOCOL}")
        data["attempt"] = Attempt(**data["attempt"])
        if judged := data["judgement"]:
            rows = tuple(
                Expectation(**{**e, "examples": tuple(e["examples"])})
                for e in judged["expectations"]
            )
            data["judgement"] = Judgement(verdict=judged["verdict"], expectations=rows)
        data["inputs"] = tuple(Input(**each) for each in data["inputs"])
        data["output"] = Output(**data["output"]) if data["output"] else None
        data["failure"] = Failure(**data["failure"]) if data["failure"] else None
        return cls(**data)
