"""Every night: judge the weather, clean the flights, sum delays, train a model, rank airports."""

from airflow.sdk import DAG, Param
from pendulum import datetime

from tidegate import operators as tide

DAY = "{{ params.date or ds }}"
PLANES = "landing/planes.csv"
DATE = Param(None, type=["null", "string"], format="date", description="Default: the run's day.")
HOURLY = """origin STRING, year INT, month INT, day INT, hour INT, temp DOUBLE, dewp DOUBLE,
    humid DOUBLE, wind_dir DOUBLE, wind_speed DOUBLE, wind_gust DOUBLE, precip DOUBLE,
    pressure DOUBLE, visib DOUBLE, time_hour TIMESTAMP"""
NIGHTLY = {"schedule": "0 3 * * *", "start_date": datetime(2013, 1, 1, tz="UTC"), "catchup": False}
TONIGHT = {"partition": {"ds": DAY}}
ROUTES = {"id": "faa", "src": "origin", "dst": "dest"}

with DAG("nightly_flights", **NIGHTLY, params={"date": DATE}, tags=["flights"], doc_md=__doc__):
    hourly = {"path": f"landing/weather/{DAY}.csv", "schema": HOURLY}
    weather = tide.GateOperator(
        task_id="landing_weather", gate="weather_landing", reads={"weather": hourly}
    )
    landed = {"flights": f"landing/flights/{DAY}.csv", "weather": weather, "planes": PLANES}
    tidy = {"reads": landed, "writes": "lake.flights.clean", **TONIGHT}
    clean = tide.BatchStageOperator(
        task_id="clean_flights", job="clean_flights.py", gate="flights_clean", **tidy
    )
    delays = {"reads": {"flights": clean}, "writes": "lake.flights.daily_delays", **TONIGHT}
    tide.SqlStageOperator(
        task_id="daily_delays", job="daily_delays.sql", gate="daily_delays", **delays
    )
    model = {"reads": {"flights": clean}, "writes": "delay_model", "params": {"ds": DAY}}
    tide.TrainStageOperator(
        task_id="train_delay_model", job="train_delay_model.py", gate="delay_model", **model
    )
    network = {"edges": clean, "vertices": "landing/airports.csv"}
    ranks = {"reads": network, "writes": "lake.flights.airport_ranks", "params": ROUTES}
    tide.GraphStageOperator(
        task_id="rank_airports", job="rank_airports.py", gate="airport_ranks", **ranks
    )
