"""Which suites mark ``pii``, and what an error keeps where one does."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.contract import Failure, Suite
from tidegate.driver.withheld import withhold
from tidegate.errors import BY_NAME, DataError, PublishError, SpecError, TidegateError
from tidegate.rules import Fact
from tidegate.store import LOG, TOLD, AttemptFiles
from tidegate.submit.lost import lost

HUSH = "hush7f3q@example.org"
MARKS = {"meta": {"tidegate": {"pii": ["email"]}}}


@pytest.mark.parametrize(
    ("document", "has"),
    [
        ({"expectations": []}, False),
        ({"expectations": [], "meta": {"tidegate": {"pii": []}}}, False),
        ({"expectations": [], **MARKS}, True),
        ({"expectations": [{"type": "x"}, {"type": "y", **MARKS}]}, True),
        ({"expectations": None, **MARKS}, True),
        ({"expectations": [None, 3, "x", {"meta": None}, {"meta": {"tidegate": 3}}]}, False),
        ({"meta": {"tidegate": {"pii": "email"}}}, True),
        ([], False),
        (None, False),
    ],
)
def test_a_suite_knows_its_marks_whatever_its_shape(document: Any, has: bool) -> None:
    assert Suite(name="s", document=document).has_pii == has


@pytest.mark.parametrize("kind", BY_NAME.values(), ids=BY_NAME)
def test_an_error_parts_with_what_it_quotes(kind: type[TidegateError]) -> None:
    error = kind("cannot read", quote=HUSH, cause=HUSH, condition="CAST_INVALID_INPUT")
    assert str(error) == f"cannot read: {HUSH}"
    bare = error.without_quote()
    assert type(bare) is kind
    assert (str(bare), bare.cause, bare.condition) == ("cannot read", None, "CAST_INVALID_INPUT")


def test_a_lost_drivers_last_line_is_a_quote() -> None:
    error = lost(1, [f"java.lang.OutOfMemoryError: {HUSH}"])
    assert HUSH in str(error)
    assert HUSH not in str(error.without_quote())
    assert "memory ran out" in str(error.without_quote())


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def message_of(error: Exception, fact: Fact) -> str:
    failure = Failure(type="DataError", message=str(error), cause=HUSH, trace=HUSH)
    withheld = withhold(failure, error, fact, None)
    assert HUSH not in repr(withheld)
    return withheld.message


CAST = Fact("SparkNumberFormatException", HUSH, "CAST_INVALID_INPUT", "22018")
WITHHELD = "its text is withheld, because the suite has pii columns: the Spark log has it"


@pytest.mark.parametrize(
    ("error", "cause", "told"),
    [
        (ValueError(HUSH), None, f"CAST_INVALID_INPUT (22018); {WITHHELD}"),
        (SpecError("run() returned list"), None, "run() returned list"),
        (PublishError("fenced off", quote=""), ValueError(HUSH), "fenced off"),
        (
            DataError("cannot read orders", quote=HUSH),
            ValueError(HUSH),
            f"cannot read orders: CAST_INVALID_INPUT (22018); {WITHHELD}",
        ),
        (DataError(HUSH), ValueError(HUSH), f"CAST_INVALID_INPUT (22018); {WITHHELD}"),
    ],
)
def test_our_own_text_stays_where_it_can_quote_nothing(
    error: Exception, cause: Exception | None, told: str
) -> None:
    assert message_of(raised(error, cause), CAST) == told


def test_what_looks_like_no_condition_is_none() -> None:
    fact = Fact(HUSH, HUSH, HUSH, HUSH[:5])
    assert message_of(raised(ValueError(HUSH)), fact) == f"an error; {WITHHELD}"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_sparks_log_is_for_its_owner_alone(tmp_path: Path, open_umask: None) -> None:
    files = AttemptFiles(str(tmp_path / "try=1"))
    files.create()
    os.close(files.open_new(LOG))
    files.append(TOLD, "{}")
    for name in (LOG, TOLD):
        assert files.path(name).stat().st_mode & 0o777 == 0o600
    assert files.folder.stat().st_mode & 0o777 == 0o700
