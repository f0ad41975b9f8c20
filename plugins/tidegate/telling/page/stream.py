"""What the page says of a stream: its totals, and its last micro-batches, the newest first."""

from dataclasses import dataclass

from tidegate.contract import Flow, MicroBatch, brief
from tidegate.telling.flow import lag, rebuilt
from tidegate.telling.page.facts import Fact, given

_LONGEST_OFFSETS = 400
_MARKS = {"pass": "PASS", "warn": "WARN", "closed": "HELD"}
_TONES = {"pass": "pass", "warn": "warn", "closed": "fail"}
_BEGINNING = "the beginning"


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """One micro-batch, as text."""

    number: str
    mark: str
    tone: str
    rows: str
    dead: str
    seconds: str
    start: str
    end: str


def stream_facts(flow: Flow | None) -> list[Fact]:
    """Return a stream's totals, and how far it was behind; nothing of another stage."""
    if flow is None:
        return []
    facts = [
        ("Micro-batches", f"{flow.batches:,} published"),
        ("Messages read", f"{flow.taken:,}"),
        ("Rows published", f"{flow.rows:,}"),
        ("Dead letters", f"{flow.dead:,}"),
        ("Passed over", f"{flow.skipped:,} that were on main already"),
    ]
    return [*facts, *given(("Lag", lag(flow)), ("Checkpoint", rebuilt(flow)))]


def batch_rows(flow: Flow | None) -> list[BatchRow]:
    """Return the last micro-batches of a stream, the newest first."""
    if flow is None:
        return []
    return list(map(_row, reversed(flow.last)))


def _row(batch: MicroBatch) -> BatchRow:
    return BatchRow(
        number=f"{batch.number:,}",
        mark=_MARKS[batch.verdict],
        tone=_TONES[batch.verdict],
        rows=f"{batch.rows:,}",
        dead=f"{batch.dead:,}",
        seconds=f"{batch.seconds:.1f}",
        start=_offsets(batch.start) or _BEGINNING,
        end=_offsets(batch.end),
    )


def _offsets(texts: tuple[str, ...]) -> str:
    return brief("; ".join(texts), _LONGEST_OFFSETS)
