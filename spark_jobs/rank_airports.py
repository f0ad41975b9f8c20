"""Which airports hold the route network together: PageRank, and the component each belongs to."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def run(graph, vertices: DataFrame) -> DataFrame:
    names = vertices.select(F.col("faa").alias("iata"), "name")
    ranked = graph.pagerank().join(graph.connected_components(), "id")
    airports_together = F.count("*").over(Window.partitionBy("component"))
    return (
        ranked.withColumnRenamed("id", "iata")
        .withColumn("airports_together", airports_together)
        .where("airports_together > 1")  # an airport alone has no route
        # Some destinations are missing from airports.csv: they stay, without a name.
        .join(names, "iata", "left")
        .withColumn("rank", F.rank().over(Window.orderBy(F.desc("pagerank"), "iata")))
        .select("iata", "name", "pagerank", "component", "rank")
    )
