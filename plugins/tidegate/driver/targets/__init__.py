"""Where outputs go: a table, a registered model, or nowhere."""

from collections.abc import Sequence

from pyspark.sql import SparkSession

from tidegate.contract import KINDS, Input, StageSpec
from tidegate.driver.targets.target import Target


def open_target(
    spark: SparkSession, spec: StageSpec, fingerprint: str, inputs: Sequence[Input]
) -> Target:
    """Return what the stage publishes to.

    :param fingerprint: names the work, so that work found done is not done again.
    :param inputs: what the stage reads; a gate of its own judges the first of them.
    :raises SpecError: if the target cannot be written.
    """
    publishes = KINDS[spec.kind].publishes
    if publishes == "model":
        # MLflow takes seconds to import; only train stages pay for it.
        from tidegate.driver.targets.model import ModelTarget

        return ModelTarget(spark, spec, fingerprint)
    if publishes == "table":
        from tidegate.driver.targets.table import TableTarget

        return TableTarget(spark, spec, fingerprint)
    from tidegate.driver.targets.nowhere import Nowhere

    return Nowhere(spark, spec.target, inputs[0].snapshot_id)
