"""One row a scheduled flight: typed, with the weather at its origin and the plane it was to fly."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

FLIGHT = {
    "time_hour": "CAST(time_hour AS TIMESTAMP)",
    "carrier": "carrier",
    "flight": "CAST(flight AS INT)",
    "origin": "origin",
    "dest": "dest",
    "tailnum": "tailnum",
    "sched_dep_time": "CAST(time_hour AS TIMESTAMP) + make_dt_interval(0, 0, CAST(minute AS INT))",
    "dep_delay": "CAST(dep_delay AS INT)",
    "arr_delay": "CAST(arr_delay AS INT)",
    "air_time": "CAST(air_time AS INT)",
    "distance": "CAST(distance AS INT)",
    "hour": "CAST(hour AS INT)",
    "cancelled": "dep_time IS NULL",
}
MEASURES = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")


def run(flights: DataFrame, weather: DataFrame, planes: DataFrame) -> DataFrame:
    typed = flights.select([F.expr(f"{formula} AS {name}") for name, formula in FLIGHT.items()])
    # The raw dep_time is hhmm of an unnamed day.
    left = F.expr("sched_dep_time + make_dt_interval(0, 0, dep_delay)")
    planes = planes.selectExpr("tailnum", "model AS plane_model", "CAST(year AS INT) AS plane_year")
    flown = typed.withColumn("dep_time", left).join(planes, "tailnum", "left")
    seen = flown.join(_hourly(weather), ["origin", "time_hour"], "left")
    return seen.select(*FLIGHT, "dep_time", *MEASURES, "plane_model", "plane_year")


def _hourly(weather: DataFrame) -> DataFrame:
    """One reading an hour and origin: a repeated one must not multiply the flights."""
    reading = F.struct(*[F.col(name).cast("double").alias(name) for name in MEASURES])
    hour = F.col("time_hour").cast("timestamp").alias("time_hour")
    hourly = weather.groupBy("origin", hour).agg(F.max(reading).alias("reading"))
    return hourly.select("origin", "time_hour", "reading.*")
