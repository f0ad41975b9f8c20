"""A report is a file: it is believed only if it makes sense, and nothing in it is obeyed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import expectation, failing, report, spec

from tidegate.contract import Failure, Judgement, Output, Report, StageSpec
from tidegate.errors import DriverLost, TidegateError
from tidegate.store import LONGEST, REPORT, AttemptFiles
from tidegate.telling.card import card
from tidegate.telling.green import green
from tidegate.telling.outcome import error_of, read_report

CLOSED = Judgement(verdict="closed", expectations=(failing(),))
FAILURE = Failure(type="JobError", message="boom")
NONSENSE: dict[str, dict[str, Any]] = {
    "failed without failure": {"outcome": "failed"},
    "failure, but published": {"failure": FAILURE},
    "held without judgement": {"outcome": "held", "judgement": None},
    "held by a gate that passed": {"outcome": "held"},
    "closed, yet published": {"judgement": CLOSED},
    "closed, yet passed": {"judgement": CLOSED, "outcome": "passed"},
    "published nothing": {"output": None},
    "of an unknown class": {
        "outcome": "failed",
        "failure": Failure(type="SystemExit", message="x"),
    },
}
WRONG_VALUES: tuple[Any, ...] = (None, True, 7, -1.5, "x", [], ["x"], {}, {"x": {}}, [[[1]]])
HOSTILE = "a\nb\r\x1b[31mc\x07\u202ed\u2028e\x00f"


def left(files: AttemptFiles, text: str) -> None:
    files.folder.mkdir(parents=True, exist_ok=True)
    files.path(REPORT).write_text(text, encoding="utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> StageSpec:
    return spec(folder=str(tmp_path / "attempt"))


def read(mine: StageSpec, text: str) -> Report | None:
    left(AttemptFiles(mine.folder), text)
    return read_report(mine)


@pytest.mark.parametrize("what", NONSENSE)
def test_a_report_that_makes_no_sense_is_no_success(mine: StageSpec, what: str) -> None:
    with pytest.raises(DriverLost, match="makes no sense"):
        read(mine, report(**NONSENSE[what]).to_json())


@pytest.mark.parametrize("outcome", ["published", "passed"])
def test_success_needs_a_driver_that_ended_well(outcome: str) -> None:
    told = report(outcome=outcome)
    assert error_of(spec(), told, 0) is None
    assert isinstance(error_of(spec(), told, 137), DriverLost)


def test_an_unknown_outcome_or_verdict_is_refused(mine: StageSpec) -> None:
    good = report().to_json()
    for wrong in (
        good.replace('"published"', '"shipped"'),
        good.replace('"pass"', '"fine"'),
        good.replace('"batch"', '"magic"'),
    ):
        with pytest.raises(DriverLost, match="is none of"):
            read(mine, wrong)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value of a JSON document."""
    yield path
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, value in items:
        yield from places(value, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = json.loads(json.dumps(document))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


def test_any_value_of_any_shape_at_any_place_is_told_or_refused_and_nothing_else(
    mine: StageSpec,
) -> None:
    whole = report(expectation(), failing(), judgement=CLOSED, outcome="held")
    document = json.loads(whole.to_json())
    tried = 0
    for path in places(document):
        for value in WRONG_VALUES:
            tried += 1
            try:
                found = read(mine, json.dumps(with_value(document, path, value)))
            except DriverLost:
                continue
            if found is not None:
                told(mine, found)
    assert tried > 500


def told(mine: StageSpec, found: Report) -> list[str]:
    """Return everything that is told of a report, in every way there is."""
    error = error_of(mine, found, 0)
    if error is None:
        return green(found)
    assert isinstance(error, TidegateError)
    return card(mine, error, found, "spark.log")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "0", '"x"', "{", "{}", "NaN", "\ufeff{}", '{"protocol": 2}', "{" * 100_000,
     "[" * 200_000 + "]" * 200_000, '{"protocol": ' + "9" * 5000 + "}", '{"protocol": 1}'],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_what_is_no_report_is_a_lost_driver(mine: StageSpec, text: str) -> None:
    with pytest.raises(DriverLost, match="cannot be believed"):
        read(mine, text)


def test_a_value_that_nests_without_end_is_refused(mine: StageSpec) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    judged = Judgement(verdict="pass", expectations=(failing(observed=deep),))
    with pytest.raises(DriverLost, match="nests deeper"):
        read(mine, report(judgement=judged).to_json())


def test_a_report_of_gigabytes_is_not_read(mine: StageSpec) -> None:
    files = AttemptFiles(mine.folder)
    left(files, "")
    with files.path(REPORT).open("r+b") as out:
        out.truncate(3 * 1024**3)  # a sparse file: no disk
    with pytest.raises(DriverLost, match=f"at most {LONGEST:,} bytes"):
        read_report(mine)


def test_a_report_in_another_encoding_is_a_lost_driver(mine: StageSpec) -> None:
    files = AttemptFiles(mine.folder)
    left(files, "")
    files.path(REPORT).write_bytes(b"\xff\xfe{}")
    with pytest.raises(DriverLost, match="cannot be believed"):
        read_report(mine)


def test_a_link_in_a_reports_place_is_not_followed(mine: StageSpec, tmp_path: Path) -> None:
    files = AttemptFiles(mine.folder)
    files.folder.mkdir(parents=True)
    (tmp_path / "elsewhere.json").write_text(report().to_json())
    files.path(REPORT).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(DriverLost, match="cannot be believed"):
        read_report(mine)


@pytest.mark.parametrize(
    "found",
    [
        report(
            judgement=Judgement(
                verdict="closed",
                expectations=(failing(examples=(HOSTILE,), kwargs={"column": HOSTILE}),),
            ),
            outcome="held",
            output=Output(target=HOSTILE, held_at=HOSTILE, note=HOSTILE),
        ),
        report(
            outcome="failed",
            failure=Failure(type="DataError", message=HOSTILE, cause=f"cause {HOSTILE}"),
        ),
        report(output=Output(target=HOSTILE, note=HOSTILE)),
    ],
    ids=["held", "failed", "published"],
)
def test_nothing_told_spans_lines_or_commands_a_terminal(mine: StageSpec, found: Report) -> None:
    for line in told(mine, found):
        assert line.isprintable(), line
