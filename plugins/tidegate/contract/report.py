"""The report: how one attempt of one stage went, written by the driver and read by the operator."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from tidegate.contract.flow import Flow
from tidegate.contract.judgement import Judgement, Verdict
from tidegate.contract.kinds import Kind
from tidegate.contract.spec import PROTOCOL, Attempt
from tidegate.contract.typed import read_as
from tidegate.errors import BY_NAME, TidegateError

Outcome = Literal["published", "passed", "held", "failed"]


@dataclass(frozen=True, kw_only=True)
class Input:
    """One opened input and the state it was read at: a table's snapshot or a model's version.

    :param state: what can be said of the state of what has neither, in words.
    """

    name: str
    source: str
    snapshot_id: int | None = None
    state: str | None = None


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

    ``steps`` are seconds by step; ``spark`` holds the application's id and its measures; ``flow``
    is there for a stream alone.
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
    flow: Flow | None = None
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

        :raises ValueError: if the document is no report of a protocol version that is known here,
            has a field of another type, or contradicts itself.
        """
        try:
            data = json.loads(text)
        except RecursionError as deep:
            raise ValueError("report nests too deep to be one") from deep
        protocol = data.get("protocol") if isinstance(data, dict) else None
        if protocol not in (1, PROTOCOL):
            raise ValueError(f"report of protocol {str(protocol)[:20]}, expected {PROTOCOL}")
        if protocol == 1:
            data = _of_protocol_1(data)
        report: Self = read_as(cls, data, "report")
        report.require_sense()
        return report

    def require_sense(self) -> None:
        """Refuse what no driver writes.

        :raises ValueError: if outcome, verdict, output and failure contradict each other.
        """
        failed = self.outcome == "failed"
        held = self.outcome == "held"
        closed = self.judgement is not None and self.judgement.verdict == "closed"
        known = self.failure is None or self.failure.type in BY_NAME
        wrong = {
            "it failed, but names no failure": failed and self.failure is None,
            "it names a failure, but did not fail": not failed and self.failure is not None,
            "it is held, but its gate did not close": held and not closed,
            "its gate closed, but it was let through": closed and not (held or failed),
            "it did not fail, but says nothing of its output": not failed and self.output is None,
            "its failure is of no known class": not known,
        }
        found = [told for told, holds in wrong.items() if holds]
        if found:
            raise ValueError(f"report makes no sense: {'; '.join(found)}")


def _of_protocol_1(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report of protocol 1 in today's shape: its expectations carried words."""
    judged = document.get("judgement")
    if not judged:
        return document
    told = [_of_1(place, each) for place, each in enumerate(judged["expectations"], start=1)]
    return {**document, "judgement": {"verdict": judged["verdict"], "expectations": told}}


def _of_1(place: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an expectation whose bound is shown as it was written."""
    told = {**document, "id": str(place), "observed": document["observed"] or None}
    columns = [column for column in told.pop("column").split(", ") if column]
    kwargs: dict[str, Any] = {"column_list": columns}
    if len(columns) == 1:
        kwargs = {"column": columns[0]}
    bound = told.pop("bound")
    return told | {"kwargs": kwargs | {"bound": bound}}
