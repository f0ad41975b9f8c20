"""Every five minutes: score what has departed since, judge each micro-batch, publish it."""

from airflow.sdk import DAG
from pendulum import datetime

from tidegate.operators import StreamStageOperator

DEPARTURE = """time_hour TIMESTAMP, hour INT, minute INT, carrier STRING, flight INT,
    tailnum STRING, origin STRING, dest STRING, distance INT, dep_delay INT"""
# What spark-defaults.conf asks for, which this replaces, and Spark's Kafka source.
PACKAGES = """org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0,\
org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1"""
OFTEN = {"schedule": "*/5 * * * *", "start_date": datetime(2013, 1, 1, tz="UTC"), "catchup": False}

with DAG("live_departures", **OFTEN, max_active_runs=1, tags=["flights"], doc_md=__doc__):
    StreamStageOperator(
        task_id="live_departures",
        job="live_departures.py",
        gate="flights_live",
        reads={
            "departures": {
                "kafka": "departures",
                "conn_id": "kafka_default",
                "schema": DEPARTURE,
            },
            "planes": "landing/planes.csv",
            "champion": {"model": "delay_model"},
        },
        writes="lake.flights.live",
        max_per_batch=100,
        packages=PACKAGES,
    )
