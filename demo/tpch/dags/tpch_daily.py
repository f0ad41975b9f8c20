"""Every day of TPC-H: price its orders, sum them by nation and priority, and by market segment."""

from airflow.sdk import DAG, TaskGroup
from pendulum import datetime

from tidegate import operators as tide

DAYS = {"start_date": datetime(1995, 1, 1, tz="UTC"), "end_date": datetime(1995, 1, 3, tz="UTC")}
DAY = {"ds": "{{ ds }}"}
CUSTOMERS, NATIONS = "landing/customer.parquet", "landing/nation.parquet"
SEGMENTS = [{**DAY, "segment": segment} for segment in ("BUILDING", "MACHINERY")]

with DAG("tpch_daily", schedule="@daily", **DAYS, catchup=False, tags=["tpch"], doc_md=__doc__):
    landed = {"orders": "landing/orders.parquet", "lineitem": "landing/lineitem.parquet"}
    priced = {"reads": landed, "writes": "lake.tpch.priced_orders", "partition": DAY}
    orders = tide.BatchStageOperator(
        task_id="priced_orders", job="priced_orders.py", gate="priced_orders", **priced
    )
    with TaskGroup("sums"):
        known = {"orders": orders, "customer": CUSTOMERS, "nation": NATIONS}
        nations = {"reads": known, "writes": "lake.tpch.nation_revenue", "partition": DAY}
        tide.SqlStageOperator(
            task_id="nation_revenue", job="nation_revenue.sql", gate="nation_revenue", **nations
        )
        urgent = {"reads": {"orders": orders}, "writes": "lake.tpch.priorities", "partition": DAY}
        tide.SqlStageOperator(
            task_id="priorities", job="priorities.sql", gate="priorities", **urgent
        )
    buyers = {"orders": orders, "customer": CUSTOMERS}
    segments = {"reads": buyers, "writes": "lake.tpch.segments"}
    tide.SqlStageOperator.partial(
        task_id="segments", job="segments.sql", gate="segments", **segments
    ).expand(partition=SEGMENTS)
