"""One row a departure: with its plane, and the chance that it arrives over 15 minutes late."""

from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

FLIGHT = {
    "time_hour": "time_hour",
    "carrier": "carrier",
    "flight": "flight",
    "origin": "origin",
    "dest": "dest",
    "tailnum": "tailnum",
    "sched_dep_time": "time_hour + make_dt_interval(0, 0, minute)",
    "dep_time": "time_hour + make_dt_interval(0, 0, minute + dep_delay)",
    "dep_delay": "dep_delay",
    "distance": "distance",
    "hour": "hour",
    "plane_model": "plane_model",
    "plane_year": "plane_year",
    "late_chance": "late_chance",
    "kafka_partition": "_kafka.partition",
    "kafka_offset": "_kafka.offset",
}
WEATHER = ("temp", "humid", "wind_speed", "precip", "visib")


def run(departures: DataFrame, planes: DataFrame, champion: PipelineModel) -> DataFrame:
    planes = planes.selectExpr("tailnum", "model AS plane_model", "CAST(year AS INT) AS plane_year")
    known = departures.join(F.broadcast(planes), "tailnum", "left")
    # The weather has not come in by then: where there is none, the model takes the usual one.
    unknown = {name: F.lit(None).cast("double") for name in WEATHER}
    scored = champion.transform(known.withColumns(unknown))
    told = scored.withColumn("late_chance", vector_to_array("probability")[1])
    return told.select([F.expr(f"{formula} AS {name}") for name, formula in FLIGHT.items()])
