"""Every test has an Airflow home of its own, set before anything imports Airflow."""

import os
import tempfile
from pathlib import Path

import pytest

HOME = Path(tempfile.mkdtemp(prefix="tidegate-airflow-"))
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    SPARK_LOCAL_IP="127.0.0.1",
    # Rows are few here: the JVM's optimising compiler costs more than it brings.
    JDK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)
NO_JAR = "no GraphFrames jar here"


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Count what skips for lack of a jar by itself, in the last line of the run."""
    if report.skipped and NO_JAR in str(report.longrepr):
        return "skipped for lack of the GraphFrames jar", "s", "SKIPPED"
    return None
