"""One local Spark session, shared by every test of the Spark wing."""

from collections.abc import Callable, Iterator

import pytest
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
