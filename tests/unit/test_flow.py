"""A stream told to people: where it stands, what was held, how far it is behind."""

from builders import failing, report, spec

from tidegate.contract import (
    BatchEvent,
    Flow,
    Judgement,
    MicroBatch,
    Output,
    Report,
    StageSpec,
    Stream,
)
from tidegate.contract.flow import MOST_EVENTS
from tidegate.errors import GateClosed
from tidegate.telling.card import card
from tidegate.telling.green import green

LAST = MicroBatch(
    number=57,
    rows=998,
    seconds=0.8,
    verdict="pass",
    start=('{"events":{"0":10}}',),
    end=('{"events":{"0":1010}}',),
    dead=2,
)
FLOW = Flow(
    query="q", batches=58, rows=57_000, dead=9, taken=57_009, lag=3_400, behind=12.0, last=(LAST,)
)


def test_a_stream_tells_its_totals_its_offsets_and_its_lag() -> None:
    lines = green(report(kind="stream", flow=FLOW))
    told = [line.removeprefix("[strm] ") for line in lines if line.startswith("[strm]")]
    totals = " ".join(told)
    assert max(map(len, lines)) <= 90
    assert "58 micro-batches, 57,000 rows, 9 dead letters; 57,009 messages read" in totals
    assert "lag 3,400 messages, 12 s behind" in totals
    assert 'micro-batch 57 from {"events":{"0":10}} to' in totals


def test_a_closed_batch_names_its_offsets_on_the_card() -> None:
    closed = MicroBatch(number=58, rows=3, seconds=0.1, verdict="closed", end=("e",), start=("s",))
    flow = Flow(query="q", batches=1, rows=998, rebuilt="there is none", last=(LAST, closed))
    held = report(
        failing(),
        kind="stream",
        outcome="held",
        judgement=Judgement(verdict="closed", expectations=(failing(),)),
        output=Output(target="lake.a.b", rows=3, version=9, held_at="lake.a.b.branch_x"),
        flow=flow,
    )
    lines = card(spec(kind="stream"), GateClosed("closed"), held, "spark.log")
    text = "\n".join(lines)
    assert len(lines) <= 15
    assert "held: micro-batch 58 from s to e; the next run judges it anew" in text
    assert "1 micro-batches, 998 rows, 0 dead letters published before" in text
    assert "checkpoint made anew from the offsets on main: there is none" in text


def test_a_report_of_a_stream_survives_its_json() -> None:
    given = report(kind="stream", flow=FLOW)
    assert Report.from_json(given.to_json()) == given


def test_a_spec_of_a_stream_survives_its_json_and_its_key_knows_no_run() -> None:
    given = spec(kind="stream", mode="append", stream=Stream(max_per_batch=5))
    assert StageSpec.from_json(given.to_json()) == given
    assert "r1" not in given.key


def test_beyond_the_most_events_the_two_oldest_become_one() -> None:
    flow = Flow(query="q")
    for number in range(MOST_EVENTS + 2):
        verdict = "warn" if number == 1 else "pass"
        event = BatchEvent(batch=number, rows=2, dead=1, verdict=verdict, snapshot_id=number + 70)
        flow = flow.with_event(event)
    assert len(flow.events) == MOST_EVENTS
    oldest = BatchEvent(batch=2, rows=6, dead=3, verdict="warn", snapshot_id=72, batches=3)
    assert flow.events[0] == oldest
    assert [each.batch for each in flow.events] == list(range(2, MOST_EVENTS + 2))
    given = report(kind="stream", flow=flow)
    assert Report.from_json(given.to_json()) == given
