"""One attempt of one stage, inside the driver: ``spark-submit --py-files tidegate.zip __main__.py spec.json``."""

import sys
from pathlib import Path

from tidegate.contract import StageSpec
from tidegate.driver.diagnose import diagnose
from tidegate.driver.record import Record, say
from tidegate.driver.session import die_with_parent, measure
from tidegate.driver.stage import Stage

HELD, FAILED = 65, 70
"""Exit codes (sysexits.h: EX_DATAERR, EX_SOFTWARE), for whoever looks at Spark alone; the report is what counts."""


def run(spec: StageSpec) -> int:
    """Run one attempt and leave its report behind; the exit code is 0 if and only if the verdict let it through."""
    record = Record(spec)
    stage = Stage(spec, record)
    try:
        with record.step("session"):
            spark = stage.open_session()
        with record.step("inputs"):
            stage.open_inputs()
        with record.step("fence"):
            done = stage.begin()
        if not done:
            with record.step("job"):
                stage.run_job()
            with record.step("write"):
                stage.write_aside()
            with record.step("gate"):
                stage.judge()
            with record.step("publish"):
                stage.publish_or_hold()
        record.spark |= measure(spark)
        record.save(stage.outcome)
    except Exception as error:  # the one place where anything at all becomes a report
        say(f"failed in step {record.last_step}: {type(error).__name__}")
        failure = diagnose(error, stage.spark, spec.job)
        stage.discard()
        record.spark |= measure(stage.spark) if stage.spark else {}
        record.save("failed", failure)
        return FAILED
    return HELD if stage.outcome == "held" else 0


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(StageSpec.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))))
