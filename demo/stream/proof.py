"""Print whether every message is on main or among the dead letters, once; run in the project."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession

from demo.stream.accounts import HEAD, Account
from demo.stream.weather import BROKEN

SENT_DEPARTURES, SENT_WEATHER = "sent/departures.json", "sent/weather.json"
"""What the replay and the station have sent, below the project."""
_HOUR = "date_format(time_hour, \"yyyy-MM-dd'T'HH:mm:ss'Z'\")"
_FLIGHT = ("carrier", "flight", "origin")


def read(spark: SparkSession, table: str, columns: str) -> Sequence[Row]:
    """Return rows as readers of the lake see them; none of a table that is not there."""
    try:
        return spark.sql(f"SELECT {columns} FROM {table}").collect()
    except AnalysisException:
        return []  # nothing was published: the account says what that means


def departures(spark: SparkSession, sent: list[dict[str, Any]]) -> Account:
    """Return the account of the departures."""
    good = [json.loads(each["value"]) for each in sent if each["fate"] != "broken"]
    broken = [each["value"].encode() for each in sent if each["fate"] == "broken"]
    place = "kafka_partition, kafka_offset"
    main = read(spark, "lake.flights.live", f"{', '.join(_FLIGHT)}, {_HOUR} AS hour, {place}")
    dead = read(spark, "lake.flights.live__dead_letters", "partition, offset, value")
    return Account(
        name="live_departures",
        good=[(*(each[name] for name in _FLIGHT), each["time_hour"]) for each in good],
        broken=broken,
        main=[(*(row[name] for name in _FLIGHT), row.hour) for row in main],
        dead=[bytes(row.value) for row in dead],
        offsets=[row[-2:] for row in main] + [row[:2] for row in dead],
    )


def weather(spark: SparkSession, sent: list[str]) -> Account:
    """Return the account of the weather, whose source has no offsets."""
    good = [json.loads(line) for line in sent if line != BROKEN]
    main = read(spark, "lake.weather.live", f"origin, {_HOUR} AS hour")
    dead = read(spark, "lake.weather.live__dead_letters", "value")
    return Account(
        name="live_weather",
        good=[(each["origin"], each["time_hour"]) for each in good],
        broken=[line.encode() for line in sent if line == BROKEN],
        main=[tuple(row) for row in main],
        dead=[bytes(row.value) for row in dead],
    )


def main(root: Path) -> int:
    """Return 0 if and only if every message is there once."""
    spark = SparkSession.builder.master("local[2]").appName("proof").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    accounts = [
        departures(spark, json.loads((root / SENT_DEPARTURES).read_text(encoding="utf-8"))),
        weather(spark, json.loads((root / SENT_WEATHER).read_text(encoding="utf-8"))),
    ]
    spark.stop()
    print(f"\n  {HEAD}")
    for account in accounts:
        print(f"  {account.line}")
    return int(not all(account.holds for account in accounts))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
