"""Every line of ours fits Airflow's log view, and what matters in it comes first."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import pytest
from builders import ATTEMPT, expectation, failing, report, spec
from tests.pages import PAGES

from tidegate.contract import Expectation, Failure, Input, Judgement, Output, Report, Suite
from tidegate.errors import BY_NAME, GateClosed
from tidegate.store import Store
from tidegate.telling.advice import ADVICE
from tidegate.telling.card import card, refusal, retry
from tidegate.telling.finding import finding, percent, sentence
from tidegate.telling.green import green, head
from tidegate.telling.lines import WIDTH, begun, columns, middle, shared, wrapped, wrapped_path
from tidegate.telling.outcome import error_of

RECORDED = json.loads(
    Path(__file__).parents[1].joinpath("recorded", "failures.json").read_text(encoding="utf-8")
)["failures"]
LETTERS = (
    "x",
    "_",
    "é",
    "Ж",
    "表",
    "e\u0301",
    "🛫",
    " ",
    "/",
    ".",
    "\n",
    "\x1b",
    "\u202e",
)
EXPECTATIONS = (
    "expect_column_values_to_be_between",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_in_set",
    "expect_compound_columns_to_be_unique",
    "expect_column_max_to_be_between",
    "expect_table_columns_to_match_set",
    "expect_something_of_ones_own",
    "unexpected_rows_expectation",
)


def wide(line: str) -> int:
    """Return the columns of a line, counted anew: a wide letter takes two."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in line)


def require_fit(lines: list[str], most: int) -> None:
    assert len(lines) <= most, lines
    for line in lines:
        assert line.isprintable(), line
        assert wide(line) <= WIDTH, line


class Chance:
    """Values of any length and alphabet, from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self) -> str:
        letters = self._random.sample(LETTERS, 3)
        length = self._random.choice((1, 8, 30, 90, 91, 250, 2000))
        return "".join(self._random.choices(letters, k=length))

    def number(self) -> Any:
        return self._random.choice((None, 0, 1, 7.25, 1e300, 10**18, 7394834692910987305))

    def expectation(self) -> Expectation:
        count = self._random.choice((None, 0, 1, 472, 10**12))
        return Expectation(
            id="1",
            type=self._random.choice(EXPECTATIONS),
            severity=self._random.choice(("critical", "warning", "info")),
            success=self._random.random() < 0.3,
            kwargs={
                "column": self.text(),
                "column_list": [self.text() for _ in range(4)],
                "min_value": self.number(),
                "max_value": self.number(),
                "value_set": [self.text() for _ in range(9)],
                "mostly": self._random.choice((1, 0.8, 0.123456789)),
                "row_condition": self._random.choice((None, self.text())),
            },
            observed=self._random.choice((None, self.text(), [self.text()], 930)),
            unexpected=count,
            share=self._random.choice((None, 0.0, 1e-9, 0.507527, 0.9999999, 1.0)),
            elements=self._random.choice((None, 930, 10**13)),
            examples=tuple(self.text() for _ in range(self._random.randint(0, 3))),
            exception=self._random.choice((None, None, self.text())),
        )

    def report(self) -> Report:
        judged = tuple(self.expectation() for _ in range(self._random.choice((0, 1, 3, 40))))
        output = Output(
            target=self.text(),
            rows=self._random.choice((None, 0, 10**12)),
            version=self._random.choice((None, 7394834692910987305)),
            previous=self._random.choice((None, 6120034692910981122)),
            held_at=self._random.choice((None, self.text())),
            note=self._random.choice((None, self.text())),
        )
        inputs = [Input(name=self.text(), source=self.text(), snapshot_id=10**18) for _ in range(9)]
        attempt = replace(
            ATTEMPT,
            dag_id=self.text(),
            task_id=self.text(),
            run_id=self.text(),
            map_index=self._random.choice((-1, 12)),
        )
        held = self._random.random() < 0.5
        return report(
            attempt=attempt,
            outcome="held" if held else "published",
            judgement=Judgement(verdict="closed" if held else "warn", expectations=judged),
            inputs=tuple(inputs),
            output=output,
            steps={self.text()[:20]: 3.0 for _ in range(12)},
        )


@pytest.mark.parametrize("seed", range(200))
def test_no_line_is_wider_than_the_log_view_whatever_the_names(seed: int) -> None:
    chance = Chance(seed)
    found = chance.report()
    suite = Suite(name=chance.text(), document={"expectations": [{}] * 9})
    mine = spec(attempt=found.attempt, suite=suite, job=chance.text())
    store = Store("/" + chance.text())
    log = store.below(store.files(found.attempt), "spark.log")
    first = head(mine, store.root, log)
    require_fit(first, 7)
    require_fit(first + green(found), 38)  # two more are the driver's own
    for kind in BY_NAME.values():
        error = kind("\n".join((chance.text(), chance.text())), cause=chance.text())
        require_fit(card(mine, error, found, log), 15)
        require_fit(refusal(found.attempt, error), 15)


@pytest.mark.parametrize("name", PAGES)
def test_the_reports_of_nights_fit(name: str) -> None:
    found = PAGES[name]
    error = error_of(spec(), found, 0)
    if error is None:
        require_fit(green(found), 30)
    else:
        require_fit(card(spec(attempt=found.attempt), error, found, "x/spark.log"), 15)


@pytest.mark.parametrize("then", RECORDED, ids=lambda each: each["provoked"])
def test_a_card_of_every_recorded_failure_fits(then: dict[str, Any]) -> None:
    text = then["chain"][then["decisive"]]["text"]
    kind = then["error"] or "JobError"
    failure = Failure(type=kind, message=text, cause=then["chain"][-1]["text"])
    crashed = report(outcome="failed", output=None, judgement=None, failure=failure)
    lines = card(spec(), failure.as_error(), crashed, "x/spark.log")
    require_fit(lines, 15)
    told = "".join(line[9:] for line in lines).replace(" ", "")
    assert text[:80].replace(" ", "").replace("\n", "") in told


@pytest.mark.parametrize("advice", ADVICE.values(), ids=[each.__name__ for each in ADVICE])
def test_what_follows_fits_one_line_each(advice: Any) -> None:
    assert max(len(retry(advice)), len(advice.do)) <= WIDTH - len("| retry  ")


def test_a_rule_that_warned_is_marked_in_the_green_log() -> None:
    lines = green(report(expectation(), failing(severity="warning", column="dep_time")))
    assert lines[1:4] == [
        "[gate] 2 expectations: 1 warn, 1 ok",
        "  warn  dep_time    1.4 % outside [0, 200] (1 of 72), e.g. 1048.36",
        "  ok    wind_speed  [0, 200]",
    ]


def test_a_long_name_shows_both_its_ends() -> None:
    long = "first_" + "x" * 90 + "_last"
    (told,) = [line for line in green(report(failing(column=long))) if line.startswith("  FAIL")]
    assert "first_" in told
    assert "…" in told
    assert "_last  1.4 % outside [0, 200] (1 of 72)" in told


def test_the_reports_folder_is_said_once_and_files_are_told_below_it() -> None:
    store = Store("/opt/airflow/tidegate/")
    log = store.below(store.files(ATTEMPT), "spark.log")
    assert head(spec(), store.root, log) == [
        "[run] nightly / clean  try 1",
        "[run] run r1",
        "[run] job clean.py  gate flights_clean (0 expectations)",
        "[log] reports folder /opt/airflow/tidegate/",
        "[log] nightly/r1/clean/map=-1/try=1/spark.log",
    ]
    told = card(spec(), GateClosed("x"), report(), log)
    assert "/opt/airflow" not in "\n".join(told)
    assert "| log    nightly/r1/clean/map=-1/try=1/spark.log" in told
    assert '| look   "Gate report" on the task\'s page; report.json beside the log' in told


def test_a_path_that_needs_two_lines_is_told_whole() -> None:
    path = f"nightly/{'r' * 60}/clean/map=-1/try=1/spark.log"
    told = [line[9:] for line in card(spec(), GateClosed("x"), None, path)]
    at = told.index(f"nightly/{'r' * 60}/clean/")
    assert told[at + 1] == "map=-1/try=1/spark.log"


def test_a_key_of_several_columns_is_told_whole() -> None:
    key = "time_hour=2013-02-08 06:00:00 carrier=UA flight=1545 origin=EWR"
    twice = failing(
        type="expect_compound_columns_to_be_unique",
        kwargs={"column_list": ["time_hour", "carrier", "flight", "origin"]},
        unexpected=2,
        share=2 / 931,
        elements=931,
        examples=(key, key),
    )
    held = report(
        twice, outcome="held", judgement=Judgement(verdict="closed", expectations=(twice,))
    )
    lines = card(spec(), GateClosed("x"), held, "x/spark.log")
    assert lines[1] == (
        "| FAIL   time_hour, carrier, flight, origin: 0.2 % not unique (2 of 931), e.g."
    )
    assert "carrier=UA flight=1545 origin=EWR" in lines[2]


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0 %"),
        (1e-12, "<0.1 %"),
        (0.0009999, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.0139, "1.4 %"),
        (0.02, "2 %"),
        (0.09996, "10 %"),
        (0.507527, "51 %"),
        (0.9949, "99.5 %"),
        (0.996, "99.6 %"),
        (0.999, "99.9 %"),
        (0.99999999, ">99.9 %"),
        (1 - 2**-53, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_told_short_and_never_rounded_to_none_or_all(share: float, told: str) -> None:
    assert percent(share) == told


def test_only_none_is_0_and_only_all_is_100_percent() -> None:
    for count in (3, 7, 199, 200, 201, 1000, 1001, 19_999, 20_001):
        for bad in {1, 2, count // 2, count - 2, count - 1}:
            assert percent(bad / count) not in ("0 %", "100 %")


COLUMN = {"column": "x"}
PAIR = {"column_A": "arr", "column_B": "dep"}
GUILTY: dict[str, tuple[dict[str, Any], str]] = {
    "column_values_to_be_between": (
        {**COLUMN, "min_value": 0, "max_value": 1000},
        "x: 3 % outside [0, 1000] (12 of 400)",
    ),
    "column_values_to_not_be_null": (COLUMN, "x: 3 % null (12 of 400)"),
    "column_values_to_be_null": (COLUMN, "x: 3 % not null (12 of 400)"),
    "column_values_to_be_unique": (COLUMN, "x: 3 % not unique (12 of 400)"),
    "compound_columns_to_be_unique": (
        {"column_list": ["a", "b"]},
        "a, b: 3 % not unique (12 of 400)",
    ),
    "column_values_to_be_in_set": (
        {**COLUMN, "value_set": ["EWR", "JFK", "LGA"]},
        "x: 3 % not in {EWR, JFK, LGA} (12 of 400)",
    ),
    "column_values_to_not_be_in_set": ({**COLUMN, "value_set": [1]}, "x: 3 % in {1} (12 of 400)"),
    "column_values_to_match_regex": (
        {**COLUMN, "regex": "^[A-Z]{3}$"},
        "x: 3 % do not match ^[A-Z]{3}$ (12 of 400)",
    ),
    "column_values_to_not_match_regex": ({**COLUMN, "regex": "^x"}, "x: 3 % match ^x (12 of 400)"),
    "column_values_to_match_like_pattern": (
        {**COLUMN, "like_pattern": "N%"},
        "x: 3 % not like N% (12 of 400)",
    ),
    "column_value_lengths_to_equal": (
        {**COLUMN, "value": 3},
        "x value lengths: 3 % of a length other than 3 (12 of 400)",
    ),
    "column_value_lengths_to_be_between": (
        {**COLUMN, "max_value": 3},
        "x value lengths: 3 % of a length > 3 (12 of 400)",
    ),
    "column_pair_values_to_be_equal": (PAIR, "arr, dep: 3 % A != B (12 of 400)"),
    "column_pair_values_a_to_be_greater_than_b": (
        {**PAIR, "or_equal": True},
        "arr, dep: 3 % A < B (12 of 400)",
    ),
    "select_column_values_to_be_unique_within_record": (
        {"column_list": ["a", "b"]},
        "a, b: 3 % repeated within the row (12 of 400)",
    ),
    "multicolumn_sum_to_equal": (
        {"column_list": ["a", "b"], "sum_total": 9},
        "a, b sum: 3 % with a sum other than 9 (12 of 400)",
    ),
    "column_values_to_be_hashed": ({**COLUMN, "depth": 3}, "x: 3 % not depth = 3 (12 of 400)"),
    "column_values_to_be_odd": (COLUMN, "x: 3 % unexpected (12 of 400)"),
}


@pytest.mark.parametrize("verb", GUILTY)
def test_every_family_says_what_is_wrong_with_how_many(verb: str) -> None:
    kwargs, told = GUILTY[verb]
    judged = failing(
        type=f"expect_{verb}", kwargs=kwargs, unexpected=12, share=0.03, elements=400, examples=()
    )
    assert sentence(judged) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kwargs": {"mostly": 0.8}}, "3 % outside the bounds (12 of 400), <= 20 % allowed"),
        ({"kwargs": {"min_value": 5}}, "3 % < 5 (12 of 400)"),
        ({"kwargs": {"max_value": 5, "strict_max": True}}, "3 % >= 5 (12 of 400)"),
        (
            {"kwargs": {"min_value": 5, "row_condition": "id > 1"}},
            "3 % < 5 (12 of 400), where id > 1",
        ),
        ({"elements": 500}, "3 % outside [0, 200] (12 of 400)"),  # a hundred were null
        ({"elements": None, "share": None}, "12 outside [0, 200]"),
        (
            {
                "type": "expect_column_values_to_be_in_set",
                "kwargs": {"value_set": list("abcdefghijkl"), "mostly": 0.9},
            },
            "3 % not in {a, b, c, … 9 more} (12 of 400), <= 10 % allowed",
        ),
        (
            {
                "type": "expect_column_values_to_match_regex",
                "kwargs": {"regex": "^N[0-9]{1,5}[A-Z]{0,2}$"},
            },
            "3 % do not match (12 of 400): ^N[0-9]{1,5}[A-Z]{0,2}$",
        ),
        (
            {
                "type": "unexpected_rows_expectation",
                "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE late"},
                "share": None,
            },
            "12 found, none asked of: SELECT * FROM {batch} WHERE late",
        ),
        (
            {"type": "expect_column_sum_to_be_between", "observed": 930, "unexpected": None},
            "930 (asked [0, 200])",
        ),
        ({"exception": "no column"}, "could not be judged: no column"),
        ({"unexpected": 0, "share": 0.0, "success": True}, "[0, 200]"),
    ],
)
def test_numbers_come_first_and_long_lists_last(given: dict[str, Any], told: str) -> None:
    shape = {"unexpected": 12, "share": 0.03, "elements": 400, "examples": ()}
    assert finding(failing(**{**shape, **given})) == told


def test_lines_are_cut_by_columns_and_not_by_letters() -> None:
    assert columns("表e") == 3
    assert begun("表" * 50, 10) == "表表表表…"
    assert middle("表" * 50, 10) == "表表…表表"
    assert middle("exactly ten", 11) == "exactly ten"
    assert shared(("short", "x" * 90), 30) == ["short", f"{'x' * 12}…{'x' * 12}"]
    assert wrapped("one two/three four", 8, 9) == ["one two/", "three", "four"]
    assert wrapped("one two three four", 8, 2) == ["one two", "three f…"]
    assert wrapped_path(f"a/{'b' * 40}/c", 10, 2)[-1].endswith("/c")
