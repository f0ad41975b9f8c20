"""One attempt, from a spec on disk to a report told in the task log."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.contract import Report, StageSpec
from tidegate.errors import TidegateError
from tidegate.reports import card, error_of, green, lost, read_report
from tidegate.submit import Submission

log = logging.getLogger(__name__)


class StageRun:
    """Submits one attempt's driver, waits, and turns its report into log lines, a result or a typed error."""

    def __init__(
        self, spec: StageSpec, project: Path, spark: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self.report: Report | None = None
        folder = Path(spec.folder)
        self._file = folder / "spec.json"
        self._submission = Submission(
            spark=spark,
            name=f"{spec.attempt.dag_id}.{spec.attempt.task_id}",
            spec_file=self._file,
            project=project,
            store=folder.parents[4],
            say=say,
        )

    def run(self) -> Report:
        """Run the attempt and log its story.

        :return: the report of an attempt that went through.
        :raises TidegateError: of the class the report names, after the failure card.
        """
        spec = self._spec
        self._head()
        report = None
        try:
            self._write_spec()
            exit_code = self._submission.run()
            report = self.report = read_report(spec)
            error = (
                lost(exit_code, self._submission.tail) if report is None else error_of(spec, report)
            )
        except TidegateError as refused:
            error = refused
        finally:
            self._forget_secrets()
        if error is not None:
            for line in card(spec, error, report, self._submission.log_file):
                log.error("%s", line)
            raise error
        if report is None:
            raise RuntimeError("an attempt without an error has a report")
        for line in green(report):
            log.info("%s", line)
        return report

    def kill(self) -> None:
        """End the attempt."""
        self._submission.kill()

    def _head(self) -> None:
        spec, attempt = self._spec, self._spec.attempt
        log.info(
            "[run] %s / %s  try %s  run %s",
            attempt.dag_id,
            attempt.task_id,
            attempt.try_number,
            attempt.run_id,
        )
        job = f"job {Path(spec.job).name}  " if spec.job else ""
        log.info(
            "[run] %sgate %s (%s expectations)",
            job,
            spec.suite.name,
            len(spec.suite.document["expectations"]),
        )
        log.info("[log] %s", self._submission.log_file)

    def _write_spec(self) -> None:
        spec = self._spec
        Path(spec.folder).mkdir(parents=True, exist_ok=True)
        spec.report_file.unlink(missing_ok=True)
        self._file.touch(mode=0o600)
        self._file.write_text(spec.to_json(), encoding="utf-8")

    def _forget_secrets(self) -> None:
        """Leave the spec to whoever looks into the attempt later, without its secret conf."""
        if self._spec.conf and self._file.exists():
            self._file.write_text(replace(self._spec, conf={}).to_json(), encoding="utf-8")
