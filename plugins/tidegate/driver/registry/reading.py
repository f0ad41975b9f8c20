"""A registered model as an input: its champion, or one version of it."""

from contextlib import suppress

from pyspark.sql import SparkSession

from tidegate.driver.registry import flavours
from tidegate.driver.registry.model import CHAMPION, answering, connect, tracking_uri
from tidegate.errors import DataError, PublishError, TidegateError


def preload() -> None:
    """Import what a train stage needs of MLflow: seconds, in a thread while Spark starts."""
    with suppress(TidegateError):  # the stage will run into the same, and say so
        connect()
        import mlflow.models
        import mlflow.sklearn
        import mlflow.spark  # noqa: F401


def load_model(spark: SparkSession, name: str, version: int) -> object:
    """Return a registered model, of the class its train job returned.

    A Spark model lives in ``spark``.

    :raises DataError: if the registry has no such version.
    :raises SpecError: if MLflow is not installed.
    """
    client = connect()
    from mlflow.artifacts import download_artifacts

    try:
        with answering(f"find version {version} of model {name!r}"):
            uri = client.get_model_version_download_uri(name, str(version))
    except PublishError as gone:
        # To a reader, a version that is not there is missing input, not a publish that failed.
        raise DataError(
            f"model {name!r} has no version {version}; run the stage that trains it again"
        ) from gone
    with answering(f"download version {version} of model {name!r}"):
        return flavours.load(download_artifacts(artifact_uri=uri, tracking_uri=tracking_uri()))


def champion_version(name: str) -> int:
    """Return the version of a registered model that its alias ``champion`` names now.

    :raises DataError: if the registry has no such model, or no champion of it.
    """
    client = connect()
    try:
        with answering(f"find the champion of model {name!r}"):
            return int(client.get_model_version_by_alias(name, CHAMPION).version)
    except PublishError as gone:
        # As above: nothing has been published yet that could be read.
        raise DataError(
            f"model {name!r} has no champion; has the stage that trains it ever published?"
        ) from gone
