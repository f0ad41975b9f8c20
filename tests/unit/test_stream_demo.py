"""The demo's streams: what is sent is the same every time, and a loss or a double is seen."""

import json
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from demo.land import by_day, write
from demo.stream import replay, weather
from demo.stream.accounts import Account
from demo.stream.replay import Message
from demo.stream.run import published

DAY = "2013-02-11"
WHOLE = Account(
    name="s",
    good=["a", "b", "b"],
    broken=[b"x"],
    main=["b", "a", "b"],
    dead=[b"x"],
    offsets=[(0, 0), (0, 1), (1, 0), (1, 1)],
)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    for name in ("flights", "weather"):
        write(folder / f"{name}.csv", by_day(name)[DAY])
    return folder


@pytest.fixture(scope="module")
def sent(landed: Path) -> list[Message]:
    return replay.messages(landed / "flights.csv")


def test_every_departure_is_sent_and_a_few_go_wrong(landed: Path, sent: list[Message]) -> None:
    assert len(sent) == len(replay.departures(landed / "flights.csv")) + replay.TWICE == 857
    fates = Counter(message.fate for message in sent)
    assert fates == {"good": 843, "broken": 7, "late": replay.LATE, "twice": replay.TWICE}
    parsed = [json.loads(message.value) for message in sent if message.fate != "broken"]
    times = [each["time_hour"] for each in parsed]
    assert all(set(each) == {*replay.TEXTS, *replay.NUMBERS} for each in parsed)
    assert min(times) < "2013-02-11T11" < max(times)


def test_they_come_in_the_order_in_which_they_left(landed: Path, sent: list[Message]) -> None:
    keys = [f"{row['carrier']}{row['flight']}" for row in replay.departures(landed / "flights.csv")]
    in_time = [message.key for message in sent if message.fate in ("good", "broken")]
    late = [message.key for message in sent if message.fate == "late"]
    assert in_time == [key for key in keys if key not in late]
    for key in late:
        assert [message.key for message in sent].index(key) - keys.index(key) >= 15


def test_what_is_sent_twice_follows_by_the_same_key(sent: list[Message]) -> None:
    (again,) = [place for place, message in enumerate(sent) if message.fate == "twice"]
    assert sent[again - 1] == replace(sent[again], fate="good")


def test_a_seed_is_a_day_and_another_seed_another_one(landed: Path, sent: list[Message]) -> None:
    file = landed / "flights.csv"
    assert replay.messages(file) == sent
    assert replay.messages(file, seed=1) != sent
    assert not any("\n" in message.line for message in sent)


def test_the_station_sends_each_line_once_whoever_asks(landed: Path) -> None:
    lines = [*weather.readings(landed / "weather.csv")[:5], weather.BROKEN]
    with weather.Station(lines) as station:
        # What was under way to who has gone is lost: TCP keeps nothing.
        first = heard(station.port, lines[1])
        last = heard(station.port, weather.BROKEN)
    assert first == lines[: len(first)]
    assert last == lines[-len(last) :]
    assert len(first) + len(last) <= len(lines)
    assert station.sent == lines


def heard(port: int, last: str) -> list[str]:
    """Listen until a line has come; return what came up to it."""
    told = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
        while last.encode() + b"\n" not in told:
            told += link.recv(4096)
    return told.decode().splitlines()


def test_a_day_of_weather_has_one_broken_line(landed: Path) -> None:
    lines = weather.readings(landed / "weather.csv")
    assert (len(lines), lines.count(weather.BROKEN)) == (73, 1)


def test_an_account_in_which_everything_is_there() -> None:
    assert (WHOLE.lost, WHOLE.doubled, WHOLE.twice, WHOLE.holds) == (0, 0, 0, True)
    assert WHOLE.line.split() == ["s", "4", "3", "1", "0", "0", "0"]


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"main": ["a", "b"]}, (1, 0, 0)),
        ({"main": ["a", "a", "b", "b"]}, (0, 1, 0)),
        ({"main": ["a", "a", "b"]}, (1, 1, 0)),
        ({"dead": []}, (1, 0, 0)),
        ({"dead": [b"y"]}, (1, 1, 0)),
        ({"main": ["a", "b", "b", "x"], "dead": []}, (1, 1, 0)),
        ({"offsets": [(0, 0), (0, 0), (1, 0), (1, 1)]}, (0, 0, 1)),
    ],
)
def test_what_is_lost_doubled_or_in_the_wrong_place_is_counted(
    changed: dict[str, list[object]], numbers: tuple[int, int, int]
) -> None:
    account = replace(WHOLE, **changed)  # type: ignore[arg-type]
    assert (account.lost, account.doubled, account.twice) == numbers
    assert not account.holds


def test_what_readers_see_is_counted_and_not_what_is_aside(tmp_path: Path) -> None:
    assert published(tmp_path) == 0
    folder = tmp_path / "lake" / "flights" / "live" / "metadata"
    folder.mkdir(parents=True)
    judged = {"tidegate.verdict": "pass"}
    snapshots = [
        {"snapshot-id": 1, "summary": {}},
        {"snapshot-id": 2, "parent-snapshot-id": 1, "summary": judged},
        {"snapshot-id": 3, "parent-snapshot-id": 2, "summary": judged},
    ]
    for version, main in ((9, 1), (10, 2)):
        refs = {"main": {"snapshot-id": main}, "aside": {"snapshot-id": 3}}
        document = json.dumps({"snapshots": snapshots, "refs": refs})
        (folder / f"v{version}.metadata.json").write_text(document)
    assert published(tmp_path) == 1
