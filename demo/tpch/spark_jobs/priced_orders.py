"""The day's orders with what their lines are worth, discounts taken off."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def run(orders: DataFrame, lineitem: DataFrame, params: dict[str, str]) -> DataFrame:
    """Return one row an order of the day."""
    worth = F.col("l_extendedprice") * (1 - F.col("l_discount"))
    priced = lineitem.groupBy(F.col("l_orderkey").alias("o_orderkey")).agg(
        F.sum(worth).alias("revenue"), F.count("*").alias("lines")
    )
    today = orders.where(F.col("o_orderdate") == F.lit(params["ds"]).cast("date"))
    kept = ("o_orderkey", "o_custkey", "o_orderpriority", "revenue", "lines")
    return today.join(priced, "o_orderkey").select(*kept)
