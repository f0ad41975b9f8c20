"""Has a driver check stages in one session on this machine; nothing is run or read."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.contract import Finding, StageSpec, findings_of_json
from tidegate.errors import SpecError
from tidegate.submit.machine import check_machine, driver_environment

_SPARK = "--master local[1] --conf spark.ui.enabled=false pyspark-shell"
_END = 15
"""How many lines are told of a check that broke."""


def check(specs: Sequence[StageSpec], project: Path) -> list[Finding]:
    """Return what is wrong with stages, or not known yet.

    :param project: the folder that Spark is started in, as for a run.
    :raises SpecError: if this machine lacks Java, or Spark does not start.
    """
    environment = {**driver_environment(), "PYSPARK_SUBMIT_ARGS": _SPARK}
    check_machine(environment, "spark-submit")
    package = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join((package, environment.get("PYTHONPATH", "")))
    # For its owner alone: specs carry secret conf.
    with TemporaryDirectory(prefix="tidegate-check-") as folder:
        stages = Path(folder, "stages.json")
        findings = Path(folder, "findings.json")
        stages.write_text(json.dumps([spec.to_json() for spec in specs]), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tidegate.driver.check", str(stages), str(findings)],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if not findings.exists():
            end = "\n".join(done.stderr.splitlines()[-_END:])
            raise SpecError(f"Spark could not be started to check the stages of {project}:\n{end}")
        return findings_of_json(findings.read_text(encoding="utf-8"))
