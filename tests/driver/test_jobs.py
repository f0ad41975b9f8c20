"""The example's jobs, each on a handful of rows."""

import json
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from demo.stream import replay, weather
from pyspark.errors import NumberFormatException
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from tests.driver.nights import (
    JOBS,
    constant,
    land,
    read_csv,
    received,
    run_sql,
    unobserved,
    weather_schema,
)

from tidegate.driver.kinds.graph import produce as produce_graph
from tidegate.driver.kinds.job import load_run

FLIGHT = dict(
    year="2013",
    month="2",
    day="8",
    dep_time="1705",
    sched_dep_time="1700",
    dep_delay="5",
    arr_time="1900",
    sched_arr_time="1850",
    arr_delay="10",
    carrier="UA",
    flight="517",
    tailnum="N1",
    origin="EWR",
    dest="ORD",
    air_time="110",
    distance="719",
    hour="17",
    minute="0",
    time_hour="2013-02-08T22:00:00Z",
)
HOUR = dict(
    origin="EWR",
    time_hour="2013-02-08T22:00:00Z",
    temp="30.02",
    humid="90",
    wind_speed="20.7",
    precip="0.05",
    pressure="1010.1",
    visib="1.5",
)
PLANE = dict(tailnum="N1", year="1999", model="737-824")
CANCELLED = dict(dep_time=None, dep_delay=None, arr_time=None, arr_delay=None, air_time=None)
DEPARTURE = dict(
    carrier="UA",
    flight=517,
    tailnum="N1",
    origin="EWR",
    dest="ORD",
    distance=719,
    time_hour="2013-02-08T22:00:00Z",
    hour=17,
    minute=10,
    dep_delay=-5,
)
DAY = "2013-02-08"
CLEAN = dict(
    ds="2013-02-08", origin="EWR", carrier="UA", cancelled=False, dep_delay=5, arr_delay=10
)

Cells = dict[str, Any]
Trained = tuple[PipelineModel, dict[str, float]]


def strings(spark: SparkSession, *rows: Cells) -> DataFrame:
    """Make a frame as a CSV gives it: every column a string, a missing value null."""
    columns = list(rows[0])
    return spark.createDataFrame(
        [tuple(row[c] for c in columns) for row in rows], ", ".join(f"{c} STRING" for c in columns)
    )


def clean(spark: SparkSession, *flights: Cells, weather: tuple[Cells, ...] = (HOUR,)) -> list[Row]:
    run = load_run(str(JOBS / "clean_flights.py"))
    out = run(
        flights=strings(spark, *flights),
        weather=strings(spark, *weather),
        planes=strings(spark, PLANE),
    )
    return out.orderBy("flight").collect()


class TestCleanFlights:
    def test_types_every_value_and_joins_weather_and_plane(self, spark: SparkSession) -> None:
        (row,) = clean(spark, FLIGHT | {"minute": "10", "dep_delay": "-5"})
        assert row.asDict() == dict(
            time_hour=datetime(2013, 2, 8, 22),
            carrier="UA",
            flight=517,
            origin="EWR",
            dest="ORD",
            tailnum="N1",
            sched_dep_time=datetime(2013, 2, 8, 22, 10),
            dep_time=datetime(2013, 2, 8, 22, 5),
            dep_delay=-5,
            arr_delay=10,
            air_time=110,
            distance=719,
            hour=17,
            cancelled=False,
            temp=30.02,
            humid=90.0,
            wind_speed=20.7,
            precip=0.05,
            pressure=1010.1,
            visib=1.5,
            plane_model="737-824",
            plane_year=1999,
        )

    def test_a_cancelled_flight_stays_without_a_departure(self, spark: SparkSession) -> None:
        (row,) = clean(spark, FLIGHT | CANCELLED)
        assert (row.cancelled, row.dep_time, row.dep_delay, row.arr_delay) == (
            True,
            None,
            None,
            None,
        )
        assert row.sched_dep_time == datetime(2013, 2, 8, 22)

    def test_a_flight_after_midnight_departs_on_the_next_day(self, spark: SparkSession) -> None:
        (row,) = clean(spark, FLIGHT | {"dep_time": "15", "dep_delay": "435"})
        assert row.dep_time == datetime(2013, 2, 9, 5, 15)

    def test_a_flight_without_weather_or_known_plane_stays(self, spark: SparkSession) -> None:
        unknown, unnamed = clean(
            spark,
            FLIGHT | {"tailnum": "N9", "origin": "JFK"},
            FLIGHT | {"tailnum": None, "flight": "600"},
        )
        assert (unknown.temp, unknown.plane_model, unknown.plane_year) == (None, None, None)
        assert (unnamed.tailnum, unnamed.temp, unnamed.plane_model) == (None, 30.02, None)

    def test_an_hour_read_twice_does_not_multiply_flights(self, spark: SparkSession) -> None:
        colder = HOUR | {"temp": "25.0", "wind_speed": "99"}
        rows = clean(
            spark, FLIGHT, FLIGHT | {"flight": "600"}, weather=(colder, HOUR, HOUR | {"temp": None})
        )
        assert [(row.flight, row.temp, row.wind_speed) for row in rows] == [
            (517, 30.02, 20.7),
            (600, 30.02, 20.7),
        ]

    @pytest.mark.parametrize("column", ["dep_delay", "flight", "minute", "distance"])
    def test_a_value_of_the_wrong_type_fails_instead_of_vanishing(
        self, spark: SparkSession, column: str
    ) -> None:
        with pytest.raises(NumberFormatException, match="twelve"):
            clean(spark, FLIGHT | {column: "twelve"})

    def test_leaves_the_partition_column_to_the_stage(self, spark: SparkSession) -> None:
        assert "ds" not in clean(spark, FLIGHT)[0].asDict()


class TestDailyDelays:
    def delays(self, spark: SparkSession, *flights: Cells) -> dict[tuple[str, str], Cells]:
        schema = (
            "ds STRING, origin STRING, carrier STRING, cancelled BOOLEAN, "
            "dep_delay INT, arr_delay INT"
        )
        rows = [tuple(flight.values()) for flight in flights]
        spark.createDataFrame(rows, schema).createOrReplaceTempView("flights")
        found = run_sql(spark, "daily_delays.sql", ds=DAY).collect()
        return {(row.origin, row.carrier): row.asDict() for row in found}

    def test_sums_each_carrier_at_each_airport(self, spark: SparkSession) -> None:
        late, diverted = CLEAN | {"dep_delay": 60, "arr_delay": 41}, CLEAN | {"arr_delay": None}
        gone = CLEAN | {"cancelled": True, "dep_delay": None, "arr_delay": None}
        found = self.delays(
            spark, CLEAN, late, diverted, gone, CLEAN | {"origin": "JFK", "arr_delay": 15}
        )
        assert found["EWR", "UA"] == dict(
            origin="EWR",
            carrier="UA",
            flights=4,
            cancelled=1,
            late=1,
            mean_dep_delay=23.33,
            mean_arr_delay=25.5,
            max_arr_delay=41,
        )
        assert (found["JFK", "UA"]["late"], len(found)) == (0, 2)

    def test_sees_its_own_day_only(self, spark: SparkSession) -> None:
        found = self.delays(
            spark,
            CLEAN,
            CLEAN | {"ds": "2013-02-07"},
            CLEAN | {"ds": "2013-02-09", "carrier": "AA"},
        )
        assert {key: row["flights"] for key, row in found.items()} == {("EWR", "UA"): 1}

    def test_a_carrier_that_never_left_has_no_mean(self, spark: SparkSession) -> None:
        found = self.delays(
            spark, CLEAN | {"cancelled": True, "dep_delay": None, "arr_delay": None}
        )
        assert found["EWR", "UA"]["mean_arr_delay"] is None


@pytest.fixture(scope="module")
def ranks(spark: SparkSession) -> dict[str, Row]:
    routes = [("EWR", "ORD"), ("JFK", "ORD"), ("EWR", "SJU"), ("EWR", "ORD"), ("ANC", "FAI")]
    edges = spark.createDataFrame(routes, "origin STRING, dest STRING")
    names = [
        ("EWR", "Newark"),
        ("JFK", "Kennedy"),
        ("ORD", "O'Hare"),
        ("ANC", "Anchorage"),
        ("FAI", "Fairbanks"),
        ("04G", "Lansdowne"),
    ]
    vertices = spark.createDataFrame(names, "faa STRING, name STRING")
    params = {"id": "faa", "src": "origin", "dst": "dest"}
    offered = {"spark": spark, "edges": edges, "vertices": vertices, "params": params}
    out = produce_graph(load_run(str(JOBS / "rank_airports.py")), offered, "graphx")
    assert isinstance(out, DataFrame)
    return {row.iata: row for row in out.collect()}


class TestRankAirports:
    def test_the_most_linked_airport_is_first(self, ranks: dict[str, Row]) -> None:
        first = min(ranks.values(), key=lambda row: row["rank"])
        assert (first.iata, first.name, first["rank"]) == ("ORD", "O'Hare", 1)
        assert sorted(row["rank"] for row in ranks.values()) == [1, 2, 3, 4, 5, 6]

    def test_a_destination_missing_from_the_airports_stays_without_a_name(
        self, ranks: dict[str, Row]
    ) -> None:
        assert ranks["SJU"].name is None and ranks["SJU"].pagerank > ranks["EWR"].pagerank

    def test_an_airport_without_a_route_is_left_out(self, ranks: dict[str, Row]) -> None:
        assert set(ranks) == {"ANC", "EWR", "FAI", "JFK", "ORD", "SJU"}

    def test_airports_joined_by_a_route_share_a_component(self, ranks: dict[str, Row]) -> None:
        assert {iata: row.component for iata, row in ranks.items() if row.component != "EWR"} == {
            "ANC": "ANC",
            "FAI": "ANC",
        }


@pytest.fixture(scope="module")
def flights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFrame]:
    spark = unobserved(spark)
    landing = land(tmp_path_factory.mktemp("train"), DAY)
    out: Any = load_run(str(JOBS / "clean_flights.py"))(
        flights=read_csv(spark, landing / "flights" / f"{DAY}.csv"),
        weather=read_csv(spark, landing / "weather" / f"{DAY}.csv", weather_schema()),
        planes=read_csv(spark, landing / "planes.csv"),
    )
    day = out.withColumn("ds", F.lit(DAY)).coalesce(1).cache()
    yield day
    day.unpersist()


def train(flights: DataFrame) -> Trained:
    out: Any = load_run(str(JOBS / "train_delay_model.py"))(flights=flights, params={"ds": DAY})
    return out


@pytest.fixture(scope="module")
def trained(flights: DataFrame) -> Trained:
    tomorrow = flights.withColumn("ds", F.lit("2013-02-09"))
    return train(flights.unionByName(tomorrow))


class TestTrainDelayModel:
    def test_one_day_is_enough(self, trained: Trained) -> None:
        model, metrics = trained
        assert isinstance(model, PipelineModel)
        assert set(metrics) == {
            "train_rows",
            "test_rows",
            "late_share",
            "log_loss",
            "baseline_log_loss",
            "area_under_roc",
        }
        assert (
            0.5 < metrics["area_under_roc"] < 0.95
            and metrics["log_loss"] < metrics["baseline_log_loss"]
        )

    def test_learns_from_arrivals_up_to_its_own_day(self, trained: Trained) -> None:
        assert (
            trained[1]["train_rows"] + trained[1]["test_rows"] == 455
        )  # of 930 flights, 458 left, 455 arrived

    def test_is_the_same_every_time(self, flights: DataFrame, trained: Trained) -> None:
        assert train(flights.repartition(3))[1] == pytest.approx(trained[1], rel=1e-6)

    def test_needs_nothing_that_is_known_only_later(
        self, flights: DataFrame, trained: Trained
    ) -> None:
        scheduled = flights.drop(
            "dep_time", "dep_delay", "arr_delay", "air_time", "cancelled", "ds"
        )
        predicted = trained[0].transform(scheduled)
        assert predicted.where("prediction IN (0, 1)").count() == 930

    @pytest.mark.parametrize("late", [0, 1])
    def test_a_day_with_hardly_a_late_flight_is_measured_all_the_same(
        self, flights: DataFrame, late: int
    ) -> None:
        few = flights.where("arr_delay <= 15").unionByName(
            flights.where("arr_delay > 15").orderBy("flight").limit(late)
        )
        _, metrics = train(few)
        assert metrics["late_share"] < 0.01
        assert all(isfinite(value) for value in metrics.values())

    def test_a_day_without_any_weather_is_learned_from(self, flights: DataFrame) -> None:
        nothing = {
            name: F.lit(None).cast("double")
            for name in ("temp", "humid", "wind_speed", "precip", "visib")
        }
        assert train(flights.withColumns(nothing))[1]["test_rows"] > 0


class TestLiveDepartures:
    def scored(self, flights: DataFrame, trained: Trained, *messages: Cells) -> list[Row]:
        spark = flights.sparkSession
        schema = constant("live_departures", "DEPARTURE")
        sent = received(spark, map(json.dumps, messages), schema).drop("_bad")
        run: Any = load_run(str(JOBS / "live_departures.py"))
        out = run(departures=sent, planes=strings(spark, PLANE), champion=trained[0])
        rows: list[Row] = out.orderBy("kafka_offset").collect()
        return rows

    def test_a_departure_has_its_times_its_plane_and_its_chance(
        self, flights: DataFrame, trained: Trained
    ) -> None:
        (row,) = self.scored(flights, trained, DEPARTURE)
        told = row.asDict()
        assert 0 < told.pop("late_chance") < 1
        assert told == dict(
            time_hour=datetime(2013, 2, 8, 22),
            carrier="UA",
            flight=517,
            origin="EWR",
            dest="ORD",
            tailnum="N1",
            sched_dep_time=datetime(2013, 2, 8, 22, 10),
            dep_time=datetime(2013, 2, 8, 22, 5),
            dep_delay=-5,
            distance=719,
            hour=17,
            plane_model="737-824",
            plane_year=1999,
            kafka_partition=0,
            kafka_offset=0,
        )

    def test_no_row_is_lost_or_doubled_by_what_is_not_known(
        self, flights: DataFrame, trained: Trained
    ) -> None:
        unknown = {"tailnum": "N9"}, {"tailnum": None}, {"carrier": "ZZ"}, {"dep_delay": 300}
        rows = self.scored(flights, trained, DEPARTURE, *(DEPARTURE | each for each in unknown))
        assert [row.kafka_offset for row in rows] == [0, 1, 2, 3, 4]
        assert [row.plane_year for row in rows] == [1999, None, None, 1999, 1999]
        assert all(row.late_chance is not None for row in rows)


class TestLiveWeather:
    def test_a_reading_says_how_cold_it_felt(self, spark: SparkSession) -> None:
        reading = {name: float(HOUR[name]) for name in weather.COLUMNS}
        reading |= {name: HOUR[name] for name in ("origin", "time_hour")}
        others = {"temp": 71.0}, {"wind_speed": 3.0}, {"temp": None}, {"wind_speed": None}
        lines = [json.dumps(reading | each) for each in ({}, *others)]
        schema = constant("live_weather", "READING")
        run: Any = load_run(str(JOBS / "live_weather.py"))
        rows = run(lines=received(spark, lines, schema).drop("_bad", "_kafka")).collect()
        assert [row.felt for row in rows] == [17.2, 71.0, 30.02, None, 30.02]
        assert rows[0].time_hour == datetime(2013, 2, 8, 22)


def test_what_the_demo_breaks_on_purpose_is_what_does_not_parse(
    spark: SparkSession, tmp_path: Path
) -> None:
    landing = land(tmp_path, DAY)
    sent = replay.messages(landing / "flights" / f"{DAY}.csv")
    values = [each.value for each in sent]
    seen = received(spark, values, constant("live_departures", "DEPARTURE")).where("_bad")
    dead = [row.value.decode() for row in seen.select("_kafka.value").collect()]
    assert dead == [each.value for each in sent if each.fate == "broken"]
    lines = weather.readings(landing / "weather" / f"{DAY}.csv")
    seen = received(spark, lines, constant("live_weather", "READING")).where("_bad")
    assert [row.value.decode() for row in seen.select("_kafka.value").collect()] == [weather.BROKEN]


def test_jobs_import_pyspark_only_and_fit_on_a_page() -> None:
    for file in Path(JOBS).iterdir():
        if file.suffix not in {".py", ".sql"}:
            continue
        lines = file.read_text().splitlines()
        assert len(lines) <= 40, file
        imports = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
        assert all(name.partition(".")[0] == "pyspark" for name in imports), file
