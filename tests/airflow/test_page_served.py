"""The page as Airflow's server serves it: made of the report alone, and with nothing allowed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from tests.pages import FLIGHTS, PAGES

from tidegate.contract import Attempt
from tidegate.store import DOCS, HEIR, LONGEST, PAGE, REPORT, AttemptFiles, Store
from tidegate.telling.page import policy
from tidegate.ui.page import app

RUN = "nightly_flights/scheduled__2013-02-08T03:00:00+00:00/clean_flights/-1"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", str(tmp_path / "reports"))
    return Store(str(tmp_path / "reports"))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A reader who may see everything; who may not is Airflow's business, see test_borrowed."""
    (route,) = [each for each in app.routes if isinstance(each, APIRoute)]
    guards = [*app.router.dependencies, *route.dependencies]
    allowed: dict[Any, Any] = {each.dependency: lambda: None for each in guards}
    assert len(allowed) == 2
    monkeypatch.setattr(app, "dependency_overrides", allowed)
    with TestClient(app) as made:
        yield made


def left(store: Store, attempt: Attempt = FLIGHTS, text: str | None = None) -> AttemptFiles:
    files = store.files(attempt)
    if text is None:
        text = replace(PAGES["closed"], attempt=attempt).to_json()
    files.write(REPORT, text)
    return files


def test_nothing_is_allowed_on_the_page(client: TestClient, store: Store) -> None:
    left(store)
    shown = client.get(f"/reports/{RUN}/2")
    assert shown.status_code == 200
    assert "Gate closed" in shown.text
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["cache-control"] == "no-store"
    rules = [each.strip() for each in shown.headers["content-security-policy"].split(";")]
    assert rules[:4] == policy().split("; ")
    assert rules[4:] == ["frame-ancestors 'self'", "sandbox"]
    assert rules[0] == "default-src 'none'"


def test_html_that_lies_in_the_folder_is_not_served(client: TestClient, store: Store) -> None:
    files = left(store)
    for name in (PAGE, DOCS):
        files.write(name, "<script>alert('somebody else')</script>")
    shown = client.get(f"/reports/{RUN}/2")
    assert "somebody else" not in shown.text
    files.remove(REPORT)
    assert client.get(f"/reports/{RUN}/2").status_code == 404


def test_other_tries_are_linked_beside_this_one(client: TestClient, store: Store) -> None:
    for number in (1, 2, 4):
        left(store, replace(FLIGHTS, try_number=number))
    shown = client.get(f"/reports/{RUN}/2").text
    assert '<a href="1">try 1</a>' in shown
    assert '<a href="4">try 4</a>' in shown
    assert 'href="3"' not in shown
    assert client.get(f"/reports/{RUN}/1").status_code == 200


def test_a_try_that_waited_for_an_earlier_ones_driver_has_its_report(
    client: TestClient, store: Store
) -> None:
    first = replace(FLIGHTS, try_number=1)
    left(store, text=replace(PAGES["closed"], attempt=first).to_json())
    store.files(first).write(HEIR, "3")
    assert "cannot be believed" in client.get(f"/reports/{RUN}/2").text
    store.files(first).write(HEIR, "2")
    assert "Gate closed" in client.get(f"/reports/{RUN}/2").text


UNBELIEVABLE = {
    "nothing": "",
    "no JSON": "<script>alert(1)</script>",
    "a list": "[]",
    "null": "null",
    "of a later protocol": '{"protocol": 3}',
    "deep": "[" * 100_000,
    "of a wrong type": PAGES["closed"].to_json().replace('"steps": {', '"steps": [], "x": {', 1),
    "of numbers that none can be": PAGES["closed"].to_json().replace("2147483648", "1e999"),
    "too large": " " * (LONGEST + 1),
    "of another DAG": replace(PAGES["closed"], attempt=replace(FLIGHTS, dag_id="pay")).to_json(),
    "of another try": replace(PAGES["closed"], attempt=replace(FLIGHTS, try_number=1)).to_json(),
}


@pytest.mark.parametrize("what", UNBELIEVABLE)
def test_a_report_that_cannot_be_believed_is_said_to_be(
    client: TestClient, store: Store, what: str
) -> None:
    left(store, text=UNBELIEVABLE[what])
    shown = client.get(f"/reports/{RUN}/2")
    if what == "of numbers that none can be":
        assert "Gate closed" in shown.text  # a measure of Spark's, shown as it is
        return
    assert shown.status_code == 200
    assert "This report cannot be believed" in shown.text
    assert "<script" not in shown.text
    assert "Gate closed" not in shown.text
    assert "sandbox" in shown.headers["content-security-policy"]


def test_a_report_that_is_a_link_is_not_followed(
    client: TestClient, store: Store, tmp_path: Path
) -> None:
    elsewhere = left(Store(str(tmp_path / "elsewhere")))
    here = store.files(FLIGHTS)
    here.folder.mkdir(parents=True)
    here.path(REPORT).symlink_to(elsewhere.path(REPORT))
    assert client.get(f"/reports/{RUN}/2").status_code == 404
    inside = left(store, replace(FLIGHTS, try_number=1))
    here.path(REPORT).unlink()
    here.path(REPORT).symlink_to(inside.path(REPORT))
    assert "cannot be believed" in client.get(f"/reports/{RUN}/2").text


def test_an_attempt_without_a_report_is_not_found(client: TestClient, store: Store) -> None:
    files = left(store)
    files.write("report.json.txt", json.dumps({}))
    for address in (
        f"{RUN}/3",
        f"{RUN}/-2",
        f"x/{RUN}/2",
        "nightly_flights/../../clean_flights/-1/2",
    ):
        assert client.get(f"/reports/{address}").status_code in (404, 422), address
