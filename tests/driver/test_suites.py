"""Every suite of the example holds on a real night, and each of its critical faults closes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo.stream import replay, weather
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType
from tests.driver.nights import (
    JOBS,
    ROOT,
    constant,
    land,
    read_csv,
    received,
    run_sql,
    unobserved,
    weather_schema,
)
from tests.thinned import only

from tidegate.contract import Judgement, Suite
from tidegate.driver.gate import open_gate
from tidegate.driver.kinds.graph import produce as produce_graph
from tidegate.driver.kinds.job import load_run

GOOD, BLIZZARD, IMPOSSIBLE_WIND, NO_WEATHER = "2013-02-11", "2013-02-08", "2013-02-12", "2013-12-31"
SUITES = {
    file.stem: json.loads(file.read_text())
    for file in sorted((ROOT / "expectations").glob("*.json"))
}

Cells = dict[str, Any]
Fault = Callable[[list[Cells]], list[Cells]]


class Night:
    """What the stages of one night hand to their gates, made when asked for."""

    def __init__(self, spark: SparkSession, landing: Path, day: str) -> None:
        self.spark, self.landing, self.day = spark, landing, day
        self.frames: dict[str, DataFrame] = {}
        self.champion: Any = None

    def __getitem__(self, suite: str) -> DataFrame:
        if suite not in self.frames:
            self.frames[suite] = getattr(self, suite)().coalesce(1).cache()
        return self.frames[suite]

    def rows(self, suite: str) -> tuple[list[Cells], StructType]:
        return [row.asDict() for row in self[suite].collect()], self[suite].schema

    def weather_landing(self) -> DataFrame:
        return read_csv(self.spark, self.landing / "weather" / f"{self.day}.csv", weather_schema())

    def flights_clean(self) -> DataFrame:
        flights = read_csv(self.spark, self.landing / "flights" / f"{self.day}.csv")
        planes = read_csv(self.spark, self.landing / "planes.csv")
        out: Any = load_run(str(JOBS / "clean_flights.py"))(
            flights, self["weather_landing"], planes
        )
        return out.withColumn("ds", F.lit(self.day))

    def daily_delays(self) -> DataFrame:
        self["flights_clean"].createOrReplaceTempView("flights")
        return run_sql(self.spark, "daily_delays.sql", ds=self.day)

    def delay_model(self) -> DataFrame:
        run: Any = load_run(str(JOBS / "train_delay_model.py"))
        self.champion, metrics = run(self["flights_clean"], {"ds": self.day})
        return self.spark.createDataFrame([{name: float(value) for name, value in metrics.items()}])

    def flights_live(self) -> DataFrame:
        sent = replay.messages(self.landing / "flights" / f"{self.day}.csv")
        # A suite sees one micro-batch: the duplicate, which it warns of, is in another one.
        values = [each.value for each in sent if each.fate != "twice"]
        messages = received(self.spark, values, constant("live_departures", "DEPARTURE"))
        _ = self["delay_model"]  # which trains the champion
        planes = read_csv(self.spark, self.landing / "planes.csv")
        run: Any = load_run(str(JOBS / "live_departures.py"))
        out: DataFrame = run(messages.where("NOT _bad"), planes, self.champion)
        return out

    def weather_live(self) -> DataFrame:
        lines = weather.readings(self.landing / "weather" / f"{self.day}.csv")
        readings = received(self.spark, lines, constant("live_weather", "READING"))
        run: Any = load_run(str(JOBS / "live_weather.py"))
        out: DataFrame = run(readings.where("NOT _bad").drop("_bad", "_kafka"))
        return out

    def airport_ranks(self) -> DataFrame:
        airports = read_csv(self.spark, self.landing / "airports.csv")
        offered = {"spark": self.spark, "edges": self["flights_clean"], "vertices": airports}
        params = {"id": "faa", "src": "origin", "dst": "dest"}
        out = produce_graph(
            load_run(str(JOBS / "rank_airports.py")), {**offered, "params": params}, "graphx"
        )
        assert isinstance(out, DataFrame)
        return out


@pytest.fixture(scope="module")
def nights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Night]:
    days = (GOOD, BLIZZARD, IMPOSSIBLE_WIND, NO_WEATHER)
    landing = land(tmp_path_factory.mktemp("nights"), *days)
    return {day: Night(unobserved(spark), landing, day) for day in days}


def entries(name: str, only: str | None = None) -> list[Cells]:
    """Return a suite's expectations, or the one among them that is about ``only``."""
    return [each for each in SUITES[name]["expectations"] if only in (None, subject(each))]


def judge(frame: DataFrame, name: str, only: str | None = None) -> Judgement:
    """Return what the gate says of ``frame``, as a stage asks it: after one write of it."""
    document = {**SUITES[name], "expectations": entries(name, only)}
    gate = open_gate(frame.sparkSession, Suite(name=name, document=document), {})
    gate.plan(frame.schema)
    return gate.judge(frame)


def failures(frame: DataFrame, name: str) -> set[tuple[str, str]]:
    """Return severity and subject of each expectation that fails in the gate; none may raise."""
    judgement = judge(frame, name)
    assert [each.exception for each in judgement.expectations if each.exception] == []
    found = set()
    for entry, judged in zip(entries(name), judgement.expectations, strict=True):
        if not judged.success:
            found.add((judged.severity, subject(entry)))
    return found


def subject(expectation: Cells) -> str:
    """Name an expectation by what it is about, as ``type(column)``."""
    kwargs = expectation["kwargs"]
    about = (
        kwargs.get("column") or kwargs.get("column_B") or "+".join(kwargs.get("column_list", ()))
    )
    return f"{expectation['type'].removeprefix('expect_')}({about})"


def first(**cells: object) -> Fault:
    return lambda rows: [rows[0] | cells, *rows[1:]]


def without(column: str) -> Fault:
    return lambda rows: [
        {name: value for name, value in row.items() if name != column} for row in rows
    ]


def repeated(rows: list[Cells]) -> list[Cells]:
    return [rows[0], *rows]


FAULTS: dict[tuple[str, str], Fault] = {
    ("weather_landing", "table_row_count_to_be_between()"): lambda rows: [],
    ("weather_landing", "table_columns_to_match_set()"): without("precip"),
    ("weather_landing", "column_values_to_not_be_null(time_hour)"): first(time_hour=None),
    ("weather_landing", "column_values_to_not_be_null(origin)"): first(origin=None),
    ("weather_landing", "column_values_to_be_in_set(origin)"): first(origin="BOS"),
    ("weather_landing", "column_values_to_be_between(wind_speed)"): first(wind_speed=1048.36058),
    ("weather_landing", "column_values_to_be_between(temp)"): first(temp=999.0),
    ("weather_landing", "column_values_to_be_between(humid)"): first(humid=100.5),
    ("weather_landing", "column_values_to_be_between(precip)"): first(precip=-0.01),
    ("flights_clean", "table_columns_to_match_set()"): without("cancelled"),
    ("flights_clean", "table_row_count_to_be_between()"): lambda rows: rows[:499],
    ("flights_clean", "compound_columns_to_be_unique(time_hour+carrier+flight+origin)"): repeated,
    ("flights_clean", "column_values_to_not_be_null(time_hour)"): first(time_hour=None),
    ("flights_clean", "column_values_to_not_be_null(carrier)"): first(carrier=None),
    ("flights_clean", "column_values_to_not_be_null(flight)"): first(flight=None),
    ("flights_clean", "column_values_to_not_be_null(dest)"): first(dest=None),
    ("flights_clean", "column_values_to_be_in_set(origin)"): first(origin="BOS"),
    ("flights_clean", "column_values_to_match_regex(dest)"): first(dest="ORDX"),
    ("flights_clean", "column_values_to_be_between(dep_delay)"): first(dep_delay=1501),
    ("flights_clean", "column_values_to_be_between(arr_delay)"): first(arr_delay=-121),
    ("flights_clean", "column_values_to_be_between(distance)"): first(distance=0),
    ("daily_delays", "table_row_count_to_be_between()"): lambda rows: rows[:9],
    ("daily_delays", "compound_columns_to_be_unique(origin+carrier)"): repeated,
    ("daily_delays", "column_values_to_not_be_null(carrier)"): first(carrier=None),
    ("daily_delays", "column_values_to_be_in_set(origin)"): first(origin="BOS"),
    ("daily_delays", "column_sum_to_be_between(flights)"): lambda rows: rows + rows,
    ("daily_delays", "column_pair_values_a_to_be_greater_than_b(cancelled)"): first(cancelled=1000),
    ("daily_delays", "column_pair_values_a_to_be_greater_than_b(late)"): first(late=1000),
    ("daily_delays", "column_values_to_be_between(mean_arr_delay)"): first(mean_arr_delay=1500.5),
    ("delay_model", "table_row_count_to_equal()"): repeated,
    ("delay_model", "column_values_to_be_between(train_rows)"): first(train_rows=3.0),
    ("delay_model", "column_values_to_be_between(test_rows)"): first(test_rows=1.0),
    ("delay_model", "column_values_to_be_between(late_share)"): first(late_share=1.0),
    ("delay_model", "column_values_to_not_be_null(area_under_roc)"): first(area_under_roc=None),
    ("delay_model", "column_values_to_be_between(area_under_roc)"): first(area_under_roc=0.99),
    ("delay_model", "column_values_to_be_between(log_loss)"): first(log_loss=1.5),
    ("flights_live", "compound_columns_to_be_unique(kafka_partition+kafka_offset)"): repeated,
    ("flights_live", "column_values_to_not_be_null(time_hour)"): first(time_hour=None),
    ("flights_live", "column_values_to_not_be_null(carrier)"): first(carrier=None),
    ("flights_live", "column_values_to_not_be_null(flight)"): first(flight=None),
    ("flights_live", "column_values_to_not_be_null(dep_time)"): first(dep_time=None),
    ("flights_live", "column_values_to_not_be_null(dest)"): first(dest=None),
    ("flights_live", "column_values_to_not_be_null(origin)"): first(origin=None),
    ("flights_live", "column_values_to_be_in_set(origin)"): first(origin="BOS"),
    ("flights_live", "column_values_to_match_regex(dest)"): first(dest="ORDX"),
    ("flights_live", "column_values_to_be_between(dep_delay)"): first(dep_delay=1501),
    ("flights_live", "column_values_to_be_between(distance)"): first(distance=0),
    ("flights_live", "column_values_to_not_be_null(late_chance)"): first(late_chance=None),
    ("flights_live", "column_values_to_be_between(late_chance)"): first(late_chance=1.5),
    ("weather_live", "column_values_to_not_be_null(time_hour)"): first(time_hour=None),
    ("weather_live", "column_values_to_not_be_null(origin)"): first(origin=None),
    ("weather_live", "column_values_to_be_in_set(origin)"): first(origin="BOS"),
    ("weather_live", "column_values_to_be_between(wind_speed)"): first(wind_speed=1048.36058),
    ("weather_live", "column_values_to_be_between(temp)"): first(temp=999.0),
    ("weather_live", "column_values_to_be_between(humid)"): first(humid=100.5),
    ("weather_live", "column_values_to_be_between(precip)"): first(precip=-0.01),
    ("airport_ranks", "table_row_count_to_be_between()"): lambda rows: rows[:49],
    ("airport_ranks", "column_values_to_be_unique(iata)"): repeated,
    ("airport_ranks", "column_values_to_match_regex(iata)"): first(iata="Newark"),
    ("airport_ranks", "column_values_to_not_be_null(pagerank)"): first(pagerank=None),
    ("airport_ranks", "column_values_to_be_between(pagerank)"): first(pagerank=0.0),
    ("airport_ranks", "column_min_to_be_between(rank)"): lambda rows: [
        row for row in rows if row["rank"] > 1
    ],
}


def test_every_critical_expectation_has_its_fault() -> None:
    suites = SUITES.items()
    critical = [
        (name, subject(e))
        for name, suite in suites
        for e in suite["expectations"]
        if e["severity"] == "critical"
    ]
    assert sorted(critical) == sorted(FAULTS)


@pytest.mark.parametrize(("name", "about"), only(FAULTS, [*FAULTS][::3]))
def test_a_fault_closes_the_gate(
    spark: SparkSession, nights: dict[str, Night], name: str, about: str
) -> None:
    rows, schema = nights[GOOD].rows(name)
    bad = FAULTS[name, about](rows)
    fields = [field for field in schema if not bad or field.name in bad[0]]
    kept = StructType([StructField(field.name, field.dataType) for field in fields])
    judgement = judge(spark.createDataFrame(bad, kept).coalesce(1), name, only=about)
    assert judgement.verdict == "closed"
    (broken,) = [each for each in judgement.failed if each.severity == "critical"]
    assert broken.exception is None


MANY_UNKNOWN_PLANES = ("info", "column_values_to_not_be_null(plane_model)")
MANY_CANCELLED = ("warning", "column_values_to_not_be_null(dep_time)")
STORM = ("critical", "column_values_to_be_between(wind_speed)")


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize(
    ("day", "found"),
    [(GOOD, {MANY_UNKNOWN_PLANES}), (BLIZZARD, {MANY_UNKNOWN_PLANES, MANY_CANCELLED})],
)
def test_a_night_that_publishes(
    nights: dict[str, Night], day: str, found: set[object], name: str
) -> None:
    assert failures(nights[day][name], name) == (found if name == "flights_clean" else set())


def test_the_impossible_wind_closes_the_weather_gate(nights: dict[str, Night]) -> None:
    assert failures(nights[IMPOSSIBLE_WIND]["weather_landing"], "weather_landing") == {STORM}


def test_the_impossible_wind_closes_the_gate_of_the_live_weather_too(
    nights: dict[str, Night],
) -> None:
    assert failures(nights[IMPOSSIBLE_WIND]["weather_live"], "weather_live") == {STORM}


def test_a_flight_that_is_sent_twice_is_told(nights: dict[str, Night]) -> None:
    rows = nights[GOOD]["flights_live"]
    again = rows.limit(1).withColumn("kafka_offset", F.lit(10_000).cast("bigint"))
    assert failures(rows.union(again), "flights_live") == {
        ("warning", "compound_columns_to_be_unique(time_hour+carrier+flight+origin)")
    }


def test_no_weather_closes_the_weather_gate(nights: dict[str, Night]) -> None:
    found = failures(nights[NO_WEATHER]["weather_landing"], "weather_landing")
    assert {about for severity, about in found if severity == "critical"} == {
        "table_row_count_to_be_between()"
    }


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_named_after_its_file_and_says_why(name: str) -> None:
    suite = SUITES[name]
    assert suite["name"] == name
    assert all(
        each["meta"]["notes"] and each["severity"] in {"critical", "warning", "info"}
        for each in suite["expectations"]
    )
