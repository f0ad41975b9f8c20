"""One local Spark session, shared by every test of the Spark wing."""

from collections.abc import Callable, Iterator

import pytest
from graphs import NO_JAR, has_graphframes
from local_spark import jobs_started, local_session
from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = local_session(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture
def jobs(spark: SparkSession) -> Callable[[], int]:
    return lambda: jobs_started(spark)


@pytest.fixture(params=["graphx", "graphframes"])
def engine(request: pytest.FixtureRequest, spark: SparkSession) -> str:
    """Each engine of the graph kind."""
    if request.param == "graphframes" and not has_graphframes(spark):
        pytest.skip(NO_JAR)
    return str(request.param)
