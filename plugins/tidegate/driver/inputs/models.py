"""Registered models, at one version."""

from pyspark.sql import SparkSession

from tidegate.contract import Input, ModelRead
from tidegate.driver.inputs.found import Found
from tidegate.driver.registry.reading import champion_version, load_model


def open_model(spark: SparkSession, read: ModelRead) -> Found:
    """Load the version that the read names, else the champion of the moment.

    :raises DataError: if there is no such model, version or champion.
    :raises SpecError: if MLflow is not installed.
    """
    version = read.version or champion_version(read.model)
    seen = Input(name=read.name, source=read.model, snapshot_id=version)
    return Found(load_model(spark, read.model, version), seen, f"{read.model}@{version}")
