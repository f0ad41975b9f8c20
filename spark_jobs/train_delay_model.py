"""Will a flight be over 15 minutes late? A logistic regression on what is known beforehand."""

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
KNOWN = "carrier + origin + at_hour + distance + built + warmth + damp + wind + rain + sight"
CAUTION = 200.0  # the fewer flights, the less is believed of what they seem to say


def run(flights: DataFrame, params: dict) -> tuple[PipelineModel, dict]:
    arrived = flights.where(F.col("ds") <= params["ds"]).where("arr_delay IS NOT NULL")
    labelled = arrived.withColumn("late", F.expr("double(arr_delay > 15)"))
    held_out = F.expr("pmod(xxhash64(time_hour, carrier, flight, origin), 5) = 0")
    train = labelled.where(~held_out)
    seen = train.selectExpr("count(*) AS train_rows", "avg(late) AS late_share").first().asDict()
    formula = RFormula(formula=f"late ~ {KNOWN}", handleInvalid="keep")
    regression = LogisticRegression(regParam=CAUTION / max(1, seen["train_rows"]))
    model = Pipeline(stages=[SQLTransformer(statement=FEATURES), formula, regression]).fit(train)
    test = model.transform(labelled.where(held_out))
    scored = test.withColumn("chance", vector_to_array("probability")[1])
    evaluator = BinaryClassificationEvaluator(rawPredictionCol="chance", labelCol="late")
    losses = {"log_loss": F.col("chance"), "baseline_log_loss": F.lit(seen["late_share"])}
    measures = [_loss(chance).alias(name) for name, chance in losses.items()]
    held = scored.agg(F.count("*").alias("test_rows"), *measures).first().asDict()
    return model, seen | held | {"area_under_roc": evaluator.evaluate(scored)}


def _loss(chance: Column) -> Column:
    came_true = F.when(F.col("late") == 1, chance).otherwise(1 - chance)
    return F.avg(-F.ln(F.greatest(came_true, F.lit(1e-6))))
