"""Whenever a day's revenue by nation was published: rank the nations by all days there are.

It reads the table as it is by then, not the snapshot of the event: of days that are filled in side
by side, the last event need not be of the last snapshot.
"""

from airflow.sdk import DAG, Asset

from tidegate.operators import SqlStageOperator

REVENUE = "lake.tpch.nation_revenue"
ONE_BY_ONE = {"schedule": [Asset(REVENUE)], "max_active_runs": 1, "catchup": False}

with DAG("tpch_report", **ONE_BY_ONE, tags=["tpch"], doc_md=__doc__):
    SqlStageOperator(
        task_id="top_nations",
        job="top_nations.sql",
        gate="top_nations",
        reads={"revenue": REVENUE},
        writes="lake.tpch.top_nations",
    )
