"""The report: how one attempt of one stage went, written by the driver and read by the operator."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from tidegate.contract.judgement import Expectation, Judgement, Verdict
from tidegate.contract.kinds import Kind
from tidegate.contract.spec import PROTOCOL, Attempt
from tidegate.errors import BY_NAME, TidegateError

SAYS = "tidegate| "
"""Begins each line of a driver's output that is meant for the task log."""

Outcome = Literal["published", "passed", "held", "failed"]


@dataclass(frozen=True, kw_only=True)
class Input:
    """One opened input and the state it was read at: a table's snapshot or a model's version."""

    name: str
    source: str
    snapshot_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What became of a stage's output.

    ``version`` is the Iceberg snapshot id or MLflow model version that readers now see if
    published, or that is held if not; ``previous`` is what they saw before (still see, if held);
    ``held_at`` is where held data lies; ``verdict`` is an earlier try's, where this one found the
    work already judged.
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
    """Why an attempt failed: a class of :mod:`tidegate.errors`, its text, Spark's deciding line."""

    type: str
    message: str
    cause: str | None = None
    condition: str | None = None
    sqlstate: str | None = None
    trace: str | None = None

    def as_error(self) -> TidegateError:
        """Return this failure as the exception an operator raises."""
        error = BY_NAME[self.type]
        return error(
            self.message, cause=self.cause, condition=self.condition, sqlstate=self.sqlstate
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """How one attempt went.

    ``steps`` are seconds by step; ``spark`` holds the application's id and its measures.
    """

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

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of this attempt, or of an earlier try that had judged the work already."""
        if self.judgement:
            return self.judgement.verdict
        if self.output:
            return self.output.verdict
        return None

    def to_json(self) -> str:
        """Return this report as a JSON document."""
        return json.dumps(asdict(self), indent=1, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; a report of protocol 1 too, for display.

        :raises ValueError: if the document is no report of a protocol version that is known here.
        """
        data = json.loads(text)
        if data.get("protocol") not in (1, PROTOCOL):
            raise ValueError(f"report of protocol {data.get('protocol')}, expected {PROTOCOL}")
        if judged := data["judgement"]:
            read = _expectation_of_1 if data["protocol"] == 1 else _expectation
            expectations = tuple(
                read(place, e) for place, e in enumerate(judged["expectations"], 1)
            )
            data["judgement"] = Judgement(verdict=judged["verdict"], expectations=expectations)
        data["attempt"] = Attempt(**data["attempt"])
        data["inputs"] = tuple(Input(**each) for each in data["inputs"])
        data["output"] = Output(**data["output"]) if data["output"] else None
        data["failure"] = Failure(**data["failure"]) if data["failure"] else None
        return cls(**data)


def _expectation(_: int, document: Mapping[str, Any]) -> Expectation:
    return Expectation(**{**document, "examples": tuple(document["examples"])})


def _expectation_of_1(place: int, document: Mapping[str, Any]) -> Expectation:
    """Read an expectation that carried words: its bound is shown as it was written."""
    columns = document["column"].split(", ") if document["column"] else []
    kwargs: dict[str, Any] = {"bound": document["bound"]} if document["bound"] else {}
    if len(columns) == 1:
        kwargs["column"] = columns[0]
    elif columns:
        kwargs["column_list"] = columns
    return Expectation(
        id=str(place),
        type=document["type"],
        severity=document["severity"],
        success=document["success"],
        kwargs=kwargs,
        observed=document["observed"] or None,
        unexpected=document["unexpected"],
        share=document["share"],
        examples=tuple(document["examples"]),
        exception=document["exception"],
    )
