"""One attempt: ``spark-submit --py-files tidegate.zip tidegate_driver.py spec.json``."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from tidegate.contract import StageSpec
from tidegate.driver.attempt import settle_attempt, start
from tidegate.driver.diagnose import diagnose
from tidegate.driver.measures import measure
from tidegate.driver.record import Record
from tidegate.driver.session import die_with_parent, take_variables, with_secrets
from tidegate.store import AttemptFiles

HELD = 65
"""Exit code of a closed gate, for whoever looks at Spark alone (sysexits.h: EX_DATAERR)."""
FAILED = 70
"""Exit code of a failure (EX_SOFTWARE)."""


def run(spec: StageSpec) -> int:
    """Run one attempt and leave its report behind; return 0 if and only if it went through."""
    record = Record(spec)
    spark: SparkSession | None = None
    try:
        spark = start(spec, record)
        settled = settle_attempt(spec, spark, record)
        record.spark |= measure(spark)
        record.save(settled.outcome, settled.output)
    except Exception as error:  # the one place where anything at all becomes a report
        discreet = spec.suite.has_pii
        failure = diagnose(error, spark, spec.job, discreet=discreet)
        raised = type(error).__name__
        if discreet:  # a job names its classes as it likes
            raised = failure.type
        record.channel.say(f"failed in step {record.last_step}: {raised}")
        if spark is not None:
            record.spark |= measure(spark)
        record.save("failed", failure=failure)
        return FAILED
    if settled.outcome == "held":
        return HELD
    return 0


def receive(file: Path) -> StageSpec:
    """Read the spec, and leave it behind without its secret conf: a kill comes when it likes."""
    spec = with_secrets(StageSpec.from_json(file.read_text(encoding="utf-8")))
    take_variables(spec)
    if spec.conf:
        AttemptFiles(str(file.parent)).write(file.name, spec.without_secrets().to_json())
    return spec


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(receive(Path(sys.argv[1]))))
