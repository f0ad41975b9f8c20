"""What people read: short when green, decisive when red, and never more than allowed."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from builders import ATTEMPT, expectation, failing, report, spec

from tidegate.contract import Failure, Judgement, Output, brief
from tidegate.errors import (
    BY_NAME,
    ClusterUnavailable,
    DriverLost,
    GateClosed,
    JobError,
    PublishError,
    ResourceExhausted,
    SpecError,
    TidegateError,
)
from tidegate.retry import RETRY_POLICY
from tidegate.store import REPORT, AttemptFiles
from tidegate.submit.lost import lost
from tidegate.telling.advice import ADVICE
from tidegate.telling.card import card
from tidegate.telling.green import green
from tidegate.telling.outcome import error_of, read_report

LOG = "reports/x/spark.log"


def test_a_green_stage_is_told_in_few_lines_however_many_expectations() -> None:
    lines = green(report(*(expectation(column=f"c{n}") for n in range(200))))
    assert len(lines) <= 30
    assert any("186 more" in line for line in lines)
    assert any(line == "[end] snapshot 8842 (was 8841)" for line in lines)
    assert "skew 8.7x" in lines[-1]


def test_warnings_are_shown_first() -> None:
    lines = green(
        report(*(expectation() for _ in range(50)), failing(severity="warning", column="dep_time"))
    )
    assert lines[1] == "[gate] 51 expectations: 1 warn, 50 ok"
    assert lines[2].startswith("  warn  dep_time ")


def test_a_closed_gate_names_the_rule_the_value_and_what_readers_see() -> None:
    held = report(
        failing(),
        expectation(),
        outcome="held",
        output=Output(
            target="lake.flights.clean",
            rows=72,
            version=9,
            previous=8,
            held_at="lake.flights.clean.branch_x",
        ),
    )
    closed = error_of(spec(), held, 0)
    assert isinstance(closed, GateClosed)
    assert str(closed).startswith(
        "gate 'flights_clean' closed, nothing published: "
        "1 critical of 2 expectations failed on 72 rows"
    )
    text = "\n".join(card(spec(), closed, held, LOG))
    assert "GATE CLOSED  nightly / clean" in text
    assert "| FAIL   wind_speed: 1.4 % outside [0, 200] (1 of 72), e.g. 1048.36" in text
    assert (
        "| held   lake.flights.clean.branch_x\n"
        "|        snapshot 9, NOT published\n"
        "|        readers still see snapshot 8\n" in text
    )
    assert "retry  no" in text


@pytest.mark.parametrize("kind", BY_NAME.values(), ids=lambda kind: kind.__name__)
def test_a_card_is_at_most_15_lines_whatever_happened(kind: type[TidegateError]) -> None:
    many = tuple(
        failing(column=f"c{n}", severity=s)
        for n in range(9)
        for s in ("critical", "warning", "info")
    )
    told = report(
        *many, outcome="held", failure=Failure(type=kind.__name__, message="m", cause="c")
    )
    assert len(card(spec(), kind("first line\nsecond\nthird\nfourth\nfifth"), told, LOG)) <= 15
    assert len(card(spec(), kind("x" * 5000), None, LOG)) <= 15
    assert max(map(len, card(spec(), kind("x" * 5000), None, LOG))) <= 90


@pytest.mark.parametrize(
    ("exit_code", "tail", "kind", "said"),
    [
        (
            1,
            ["ModuleNotFoundError: No module named 'great_expectations'"],
            SpecError,
            "great_expectations",
        ),
        (1, ["Exception: unresolved dependency: org.x#y;1: not found"], SpecError, "org.x#y"),
        (1, ["Could not parse Master URL: 'lokal'"], SpecError, "lokal"),
        (52, [], ResourceExhausted, "exit code 52"),
        (
            1,
            ["java.lang.OutOfMemoryError: Java heap space", "INFO ShutdownHookManager"],
            ResourceExhausted,
            "Java heap",
        ),
        (1, ["ERROR All masters are unresponsive! Giving up."], ClusterUnavailable, "master"),
        (-9, ["INFO anything"], DriverLost, "killed by signal 9"),
        (143, [], DriverLost, "signal 15"),
        (1, [], DriverLost, "exit code 1"),
    ],
)
def test_a_driver_without_a_report_is_classified(
    exit_code: int, tail: list[str], kind: type, said: str
) -> None:
    error = lost(exit_code, tail)
    assert type(error) is kind
    assert said in str(error)


def test_a_report_of_another_attempt_is_no_report(tmp_path: Path) -> None:
    mine = spec(folder=str(tmp_path))
    assert read_report(mine) is None
    AttemptFiles(mine.folder).write(REPORT, report().to_json())
    assert read_report(mine) is not None
    AttemptFiles(mine.folder).write(
        REPORT, report(attempt=type(ATTEMPT)(**{**vars(ATTEMPT), "try_number": 2})).to_json()
    )
    assert read_report(mine) is None
    AttemptFiles(mine.folder).write(REPORT, "{half")
    with pytest.raises(DriverLost, match="cannot be believed"):
        read_report(mine)


def test_a_published_report_is_no_error() -> None:
    assert error_of(spec(), report(), 0) is None
    assert error_of(spec(), report(judgement=Judgement(verdict="warn")), 0) is None


RETRIED = {ResourceExhausted, ClusterUnavailable, DriverLost, PublishError}


@pytest.mark.parametrize("kind", BY_NAME.values(), ids=lambda kind: kind.__name__)
def test_the_tree_of_errors_is_the_retry_table(kind: type[TidegateError]) -> None:
    decision = RETRY_POLICY.evaluate(kind("x"), 1, 3)
    assert decision.action.value == ("retry" if kind in RETRIED else "fail")
    assert (ADVICE[kind].delay is not None) == (kind in RETRIED)


def test_other_errors_are_left_to_airflow_and_the_policy_survives_serialisation() -> None:
    assert RETRY_POLICY.evaluate(RuntimeError("x"), 1, 3).action.value == "default"
    again = type(RETRY_POLICY).deserialize(RETRY_POLICY.serialize())
    assert again.evaluate(JobError("x"), 1, 3).action.value == "fail"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"carrier": "UA", "flight": 15.0}, "{carrier: UA, flight: 15}"),
        ((1, None), "{1, null}"),
        ([1.5, 2, 3, 4, 5], "{1.5, 2, 3, … 2 more}"),
        ({"first": ["a", "b", "c", "d"], "more": 8}, "{a, b, c, … 9 more}"),
        (Decimal("12.50"), "12.50"),
        (date(2013, 2, 12), "2013-02-12"),
        (True, "true"),
        (1e20, "1e+20"),
        ("x" * 50, "x" * 39 + "…"),
    ],
)
def test_a_value_is_told_in_one_way_by_gate_and_card(value: object, text: str) -> None:
    assert brief(value, 40) == text
