"""Every hour: listen to the weather station, judge what it sends, and publish it as it comes."""

from airflow.sdk import DAG, Param
from pendulum import datetime

from tidegate.operators import StreamStageOperator

READING = """origin STRING, time_hour TIMESTAMP, temp DOUBLE, humid DOUBLE, wind_speed DOUBLE,
    precip DOUBLE, pressure DOUBLE, visib DOUBLE"""
STATION = "{{ conn.weather_station.host }}:{{ conn.weather_station.port }}"
RUN_FOR = Param("58 minutes", type="string", description="How long it listens.")
HOURLY = {"schedule": "@hourly", "start_date": datetime(2013, 1, 1, tz="UTC"), "catchup": False}

with DAG(
    "live_weather",
    **HOURLY,
    max_active_runs=1,
    params={"run_for": RUN_FOR},
    tags=["flights"],
    doc_md=__doc__,
):
    StreamStageOperator(
        task_id="live_weather",
        job="live_weather.py",
        gate="weather_live",
        reads={"lines": {"socket": STATION, "schema": READING}},
        writes="lake.weather.live",
        trigger="10 seconds",
        run_for="{{ params.run_for }}",
    )
