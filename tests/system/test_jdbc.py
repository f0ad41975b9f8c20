"""A database read by a real spark-submit: its rows are published, its password is nowhere."""

import json
import signal
from pathlib import Path

import pytest
from tests.driver.local_spark import POSTGRES
from tests.driver.postgres import PASSWORD, USER, is_missing, serving
from tests.system.stages import Project

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(is_missing(), reason="needs PostgreSQL: apt-get install postgresql"),
]

DAG = """
from pendulum import datetime
from airflow.sdk import DAG
from tidegate.operators import BatchStageOperator

with DAG("days", schedule=None, start_date=datetime(2013, 1, 1, tz="UTC")) as dag:
    BatchStageOperator(
        task_id="orders", job="job.py", gate="some", writes="lake.t.orders",
        reads={"orders": {
            "jdbc": "shop", "query": "SELECT id, note FROM orders",
            "partition_column": "id", "bounds": [1, 100], "partitions": 2,
        }},
        mode="merge", keys=["id"],
    )
"""
JOB = "def run(orders):\n    return orders\n"


def test_its_rows_are_published_and_its_password_is_nowhere(tmp_path: Path) -> None:
    with serving() as server, Project(tmp_path) as project:
        server.run("CREATE TABLE orders AS SELECT n AS id, 'x' AS note FROM generate_series(1,9) n")
        defaults = tmp_path / "conf" / "spark-defaults.conf"
        text = defaults.read_text(encoding="utf-8")
        defaults.write_text(text.replace("4.1_2.13:1.12.0", f"4.1_2.13:1.12.0,{POSTGRES}"))
        project.write("dags/days.py", DAG)
        project.write("spark_jobs/job.py", JOB)
        rows = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}
        project.suite("some", {**rows, "severity": "critical"})
        connection = {"conn_type": "postgres", "host": "127.0.0.1", "port": server.port}
        connection |= {"schema": "postgres", "login": USER, "password": PASSWORD}
        known = {"AIRFLOW_CONN_SHOP": json.dumps(connection)}
        attempt = project.start("orders", "night", TIDEGATE_STOP_AT="gate:begin", **known)
        driver = attempt.stopped()
        lines = [" ".join(process.cmdline()) for process in attempt.living()]
        assert not [line for line in lines if PASSWORD in line]
        driver.send_signal(signal.SIGCONT)
        assert attempt.result()["rows"] == 9
        server.run("UPDATE orders SET note = 'y' WHERE id = 1; INSERT INTO orders VALUES (10, 'z')")
        done = project.start("orders", "next", **known).result()
        assert (done["rows"], project.table("lake.t.orders").rows()) == (10, 10)
        report = attempt.report()
        assert report.inputs[0].source == "shop: a query"
        assert str(report.inputs[0].state).startswith("no snapshot; opened 20")
        texts = [file for file in tmp_path.rglob("*") if file.is_file()]
        told = [file for file in texts if PASSWORD.encode() in file.read_bytes()]
        assert told == [], "neither a spec nor a log, a report, an event log or a file of the lake"
