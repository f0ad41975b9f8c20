"""One attempt: ``spark-submit --py-files tidegate.zip tidegate_driver.py spec.json``."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from tidegate.contract import StageSpec
from tidegate.driver.attempt import fail, settle_attempt, start
from tidegate.driver.measures import measure
from tidegate.driver.record import Record
from tidegate.driver.session import die_with_parent, take_variables, with_secrets
from tidegate.store import AttemptFiles

HELD = 65
"""Exit code of a closed gate, for whoever looks at Spark alone (sysexits.h: EX_DATAERR)."""
FAILED = 70
"""Exit code of a failure (EX_SOFTWARE)."""


def run(spec: StageSpec, first_stage: int = 0) -> int:
    """Run one attempt and leave its report behind; return 0 if and only if it went through."""
    record = Record(spec)
    spark: SparkSession | None = None
    try:
        spark = start(spec, record)
        settled = settle_attempt(spec, spark, record)
        record.spark |= measure(spark, first_stage)
        record.save(settled.outcome, settled.output)
    except (Exception, SystemExit) as error:
        # The one place where anything at all becomes a report. Also sys.exit(): a job that calls
        # it would else be taken for a driver that somebody killed, and be tried again.
        fail(spec, spark, record, error, first_stage)
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
