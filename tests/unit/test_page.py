"""The page of a report: whatever a report holds, it is shown as text, and nothing is loaded."""

import json
import random
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builders import ATTEMPT, expectation, failing, report
from tests.pages import PAGES

from tidegate.contract import Failure, Report
from tidegate.store import REPORT, Store
from tidegate.telling.advice import ADVICE
from tidegate.telling.outcome import UNBELIEVABLE
from tidegate.telling.page import page, page_of_nothing, policy, tries_around
from tidegate.telling.page.content import clamped

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></style></td></pre><h1>",
    "<!--",
    "<![CDATA[",
    "&lt;b&gt;&#60;i&#62;",
    "{{ 7 * 7 }}{% raw %}{#",
    "javascript:alert(1)",
    "http://elsewhere.example/x.js",
    "a\nb\r\tc\x00d\x1b[31me\x07f",
    "safe\u202etxt.exe\u2066\u200f\u2028\ufeff",
    "\ud800",
)
ALLOWED_TAGS = frozenset(
    "html head meta title style body main header section nav div p span code ul li h1 h2 h3 dl dt "
    "dd table thead tbody tr th td svg rect details summary pre a".split()
)
ALLOWED_ATTRIBUTES = frozenset(
    "lang charset http-equiv content name class id role scope href width height data-label "
    "aria-labelledby aria-hidden focusable viewbox preserveaspectratio".split()
)
KEPT = frozenset({"type", "verdict", "severity", "outcome", "kind"})
"""Fields with a few known values: another one makes no report."""


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.others: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def written_by(told: Report, text: str) -> Report:
    """Return a report whose every free text somebody else chose."""
    return Report.from_json(json.dumps(filled(json.loads(told.to_json()), text)))


def filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {k: v if k in KEPT else filled(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(item, text) for item in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_whatever_a_report_holds_is_text(name: str, text: str) -> None:
    calm = re.sub(r"[^\n]", "c", text)  # of as many lines, which a failure's message may have
    quiet = Seen(page(written_by(PAGES[name], calm), {1: "1"}))
    loud = Seen(page(written_by(PAGES[name], text), {1: "1"}))
    assert loud.tags == quiet.tags
    assert [a for a, _ in loud.attributes] == [a for a, _ in quiet.attributes]
    assert loud.attributes == quiet.attributes
    assert loud.others == []
    if text.isprintable():
        assert text in loud.text


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_of_a_few_tags_that_load_and_run_nothing(name: str) -> None:
    text = page(PAGES[name], {1: "../try=1/report.html"})
    seen = Seen(text)
    assert set(seen.tags) <= ALLOWED_TAGS
    assert {attribute for attribute, _ in seen.attributes} <= ALLOWED_ATTRIBUTES
    assert [value for name, value in seen.attributes if name == "href"] == ["../try=1/report.html"]
    for word in ("<script", "<link", "<img", "<iframe", "http://", "https://", "@import", "url("):
        assert word not in text.lower()
    assert not re.search(r"\son\w+\s*=", text)


@pytest.mark.parametrize("text", HOSTILE[-3:-1], ids=ascii)
def test_control_and_bidirectional_characters_are_spelled_out(text: str) -> None:
    shown = page(written_by(PAGES["closed"], text), {})
    assert {letter for letter in shown if not letter.isprintable()} == {"\n"}
    assert r"\u202e" in shown or r"\x1b[31m" in shown


def test_the_policy_names_the_style_that_the_page_has() -> None:
    for text in (page(PAGES["passed"], {}), page_of_nothing("No", "<b>")):
        style = text.partition("<style>")[2].partition("</style>")[0]
        hashed = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{hashed}'" in policy()
        content = dict(Seen(text).attributes)
        assert content["http-equiv"] == "Content-Security-Policy"
        assert ("content", policy()) in Seen(text).attributes
    assert policy().startswith("default-src 'none'; ")


def test_a_page_says_what_its_report_says() -> None:
    told = Seen(page(PAGES["closed"], {1: "1"})).text
    for word in (
        "Gate closed",
        "wind_speed: 1.4 % outside [0, 200] (13 of 930), e.g. 1048.36",
        "13 of 930 do not hold",
        "50.75 %",
        "Held, not published",
        "snapshot 7394834692910987305",
        "snapshot 6120034692910981122",
        "spark.table(",
        "snapshot 5394834692910987305",
        "version 12",
        "46.0 MiB",
        "9.7 s",
        "scheduled__2013-02-08T03:00:00+00:00",
        "try 1",
        "fix the data or the suite",
    ):
        assert word in told, word


def test_a_crash_tells_its_class_its_cause_and_what_to_do() -> None:
    told = Seen(page(PAGES["crashed"], {})).text
    for word in ("Failed: DataError", "CAST_INVALID_INPUT", "22018", "fix or land the data"):
        assert word in told, word
    assert 'File "spark_jobs/clean_flights.py", line 1, in run' in told
    assert "Other tries" not in told


def test_a_stream_tells_its_totals_and_its_last_micro_batches() -> None:
    told = Seen(page(PAGES["streamed"], {})).text
    words = " ".join(told.split())
    for word in (
        "Micro-batches the last 3",
        "Micro-batches2 published Messages read300 Rows published197 Dead letters3",
        "Passed over1 that were on main already Lag557 messages, 12 s behind",
        "Checkpointmade anew from the offsets on main: there is none",
        '2 HELD 100 0 0.8 {"departures":{"0":66,"1":66,"2":68}} '
        '{"departures":{"0":99,"1":99,"2":102}}',
        "1 WARN 97 3 0.8",
        "0 PASS 100 0 0.8 the beginning {",
    ):
        assert word in words, word
    assert words.index("2 HELD") < words.index("1 WARN") < words.index("0 PASS")


def test_what_is_no_stream_tells_of_none() -> None:
    told = page(PAGES["warned"], {})
    assert "Micro-batches" not in told
    assert 'id="stream"' not in told


@pytest.mark.parametrize("error", ADVICE, ids=lambda each: str(each.__name__))
def test_every_class_of_failure_has_a_page(error: type) -> None:
    failure = Failure(type=error.__name__, message="boom")
    assert f"Failed: {error.__name__}" in page(replace(PAGES["crashed"], failure=failure), {})


def test_what_does_not_hold_comes_first() -> None:
    told = page(report(*(expectation() for _ in range(9)), failing(column="last")), {})
    assert told.index("last must be between") < told.index("wind_speed must be between")


@pytest.mark.parametrize(
    ("percent", "width"),
    [(-5.0, 0), (0.0, 0), (1.39, 1.4), (100.0, 100), (1e300, 100), (float("nan"), 0)],
)
def test_a_bar_is_between_nothing_and_everything(percent: float, width: float) -> None:
    assert clamped(percent) == width


def test_numbers_of_another_shape_end_in_no_error_of_ours() -> None:
    """Change values at random: a page is made, or a caller is told by an error it knows."""
    chance = random.Random(8)
    values = (None, True, -1, 10**400, 1e308, float("inf"), float("nan"), "x", [], {}, [[1]])
    values += ({"first": 3, "more": "x"}, {"first": [1], "more": 2})
    made = 0
    for _ in range(600):
        document = json.loads(PAGES[chance.choice(list(PAGES))].to_json())
        for _ in range(chance.randint(1, 3)):
            holder = chance.choice(holders(document))
            holder[chance.choice(list(holder))] = chance.choice(values)
        try:
            text = page(Report.from_json(json.dumps(document)), {})
        except UNBELIEVABLE:
            continue
        made += 1
        assert set(Seen(text).tags) <= ALLOWED_TAGS
    assert made > 100


def holders(value: Any) -> list[dict[str, Any]]:
    """Return every object of a document that holds something."""
    found = []
    if isinstance(value, dict):
        found = [value] if value else []
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            found += holders(each)
    return found


def test_other_tries_are_those_that_left_a_report(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for number in (1, 3, 4, 30):
        store.files(replace(ATTEMPT, try_number=number)).write(REPORT, "{}")
    store.files(replace(ATTEMPT, try_number=2)).write("spark.log", "")
    assert tries_around(store, replace(ATTEMPT, try_number=3)) == [1, 4]
    assert tries_around(store, replace(ATTEMPT, try_number=10**9)) == []
