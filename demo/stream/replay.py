"""One day's departures as Kafka messages, in the order in which they left, with what goes wrong.

Some are broken, some are late, one is sent twice: chosen by a seed, so every replay is the same.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Literal

from demo.stream.broker import add_topic, send

TOPIC, PARTITIONS = "departures", 3
SEED = 2013
LATE, TWICE = 6, 1
_LATE_BY = (20, 60)
TEXTS = ("carrier", "tailnum", "origin", "dest", "time_hour")
NUMBERS = ("flight", "distance", "hour", "minute", "dep_delay")
Row = dict[str, str]
Fate = Literal["good", "late", "twice", "broken"]


@dataclass(frozen=True)
class Message:
    """One message: its key, its value, and what was done to it on purpose."""

    key: str
    value: str
    fate: Fate = "good"

    @property
    def line(self) -> str:
        """The message as Kafka's console producer takes it."""
        return f"{self.key}|{self.value}"


def departures(file: Path) -> list[Row]:
    """Return the flights of a landed day that left, in the order in which they did."""
    with file.open(encoding="utf-8", newline="") as text:
        left = [row for row in csv.DictReader(text) if row["dep_time"]]
    return sorted(left, key=lambda row: (_moment(row), row["carrier"], int(row["flight"])))


def messages(file: Path, seed: int = SEED) -> list[Message]:
    """Return a day's messages in the order in which they are sent."""
    chance = Random(seed)
    rows = departures(file)
    damages = list(_damages())
    chosen = chance.sample(range(len(rows)), len(damages) + LATE + TWICE)
    broken = dict(zip(chosen, damages, strict=False))
    late = set(chosen[len(damages) : len(damages) + LATE])
    twice = set(chosen[len(damages) + LATE :])
    placed: list[tuple[float, Message]] = []
    for place, row in enumerate(rows):
        key = f"{row['carrier']}{row['flight']}"
        value = json.dumps(_fields(row))
        if place in broken:
            placed.append((place, Message(key, _damaged(value, broken[place]), "broken")))
        elif place in late:
            placed.append((place + chance.randint(*_LATE_BY) + 0.5, Message(key, value, "late")))
        else:
            placed.append((place, Message(key, value)))
        if place in twice:
            # By the same key: the second one follows in the same partition.
            placed.append((place + 0.5, Message(key, value, "twice")))
    return [message for _, message in sorted(placed, key=lambda each: each[0])]


def _moment(row: Row) -> datetime:
    hour = datetime.fromisoformat(row["time_hour"])
    return hour + timedelta(minutes=int(row["minute"]) + int(row["dep_delay"]))


def _fields(row: Row) -> dict[str, str | int | None]:
    texts: dict[str, str | int | None] = {name: row[name] or None for name in TEXTS}
    return texts | {name: int(row[name]) for name in NUMBERS}


def _damages() -> Iterator[str]:
    """Yield every way to break a message, twice, but for the empty one."""
    for _ in range(2):
        yield from ("cut", "text for a number", "page")
    yield "empty"


def _damaged(value: str, damage: str) -> str:
    damaged = {
        "cut": value[: len(value) // 2],
        "text for a number": json.dumps({**json.loads(value), "flight": "twelve"}),
        "page": "<html><h1>504 Gateway Time-out</h1></html>",
        "empty": "",
    }
    return damaged[damage]


def main() -> None:
    """Send a day to a broker that is there already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default="localhost:9092")
    parser.add_argument("--day", default="2013-02-11")
    parser.add_argument("--create", action="store_true", help="create the topic first")
    asked = parser.parse_args()
    sent = messages(Path("landing", "flights", f"{asked.day}.csv"))
    if asked.create:
        add_topic(asked.servers, TOPIC, PARTITIONS)
    send(asked.servers, TOPIC, [message.line for message in sent])
    print(f"{asked.servers}: {len(sent)} messages sent to {TOPIC}")


if __name__ == "__main__":
    main()
