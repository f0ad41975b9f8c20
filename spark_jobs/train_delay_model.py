"""Will a flight arrive over 15 minutes late? A logistic regression on what is known before."""

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import RFormula, SQLTransformer
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

FEATURES = """SELECT *, string(hour) AS at_hour, coalesce(plane_year, 2001) AS built,
    coalesce(temp, 55) AS warmth, coalesce(humid, 60) AS damp, coalesce(wind_speed, 10) AS wind,
    coalesce(precip, 0) AS rain, coalesce(visib, 10) AS sight FROM __THIS__"""
FORMULA = (
    "late ~ carrier + origin + at_hour + distance + built + warmth + damp + wind + rain + sight"
)
CAUTION = 200.0  # the fewer flights, the less is believed of what they seem to say


def run(flights: DataFrame, params: dict) -> tuple[PipelineModel, dict]:
    arrived = flights.where(F.col("ds") <= params["ds"]).where("arr_delay IS NOT NULL")
    labelled = arrived.withColumn("late", F.expr("double(arr_delay > 15)"))
    held_out = F.expr("pmod(xxhash64(time_hour, carrier, flight, origin), 5) = 0")
    train, test = labelled.where(~held_out), labelled.where(held_out)
    share = F.avg("late").alias("late_share")
    known = train.agg(F.count("*").alias("train_rows"), share).first().asDict()
    formula = RFormula(formula=FORMULA, handleInvalid="keep")
    regression = LogisticRegression(regParam=CAUTION / max(1, known["train_rows"]))
    model = Pipeline(stages=[SQLTransformer(statement=FEATURES), formula, regression]).fit(train)
    scored = model.transform(test).withColumn("chance", vector_to_array("probability")[1])
    area = BinaryClassificationEvaluator(rawPredictionCol="chance", labelCol="late")
    loss = _loss(F.col("chance")).alias("log_loss")
    baseline = _loss(F.lit(known["late_share"])).alias("baseline_log_loss")
    held = scored.agg(F.count("*").alias("test_rows"), loss, baseline)
    return model, known | held.first().asDict() | {"area_under_roc": area.evaluate(scored)}


def _loss(chance: Column) -> Column:
    came_true = F.when(F.col("late") == 1, chance).otherwise(1 - chance)
    return F.avg(-F.ln(F.greatest(came_true, F.lit(1e-6))))
