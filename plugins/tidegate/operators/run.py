"""One attempt, from a spec on disk to a report told in the task log."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.contract import Report, StageSpec
from tidegate.errors import TidegateError
from tidegate.store import LOG, REPORT, SPEC, AttemptFiles, Store
from tidegate.submit.client import ClientSubmission
from tidegate.submit.protocol import Submission
from tidegate.telling.card import card
from tidegate.telling.green import green
from tidegate.telling.outcome import error_of, read_report

log = logging.getLogger(__name__)


class StageRun:
    """Submits one attempt's driver, waits, and turns its report into log lines or an error.

    :param spark: the Spark arguments that may stand on a command line.
    """

    def __init__(
        self,
        spec: StageSpec,
        project: Path,
        store: Store,
        spark: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self._spec = spec
        self._files = AttemptFiles(spec.folder)
        self.report: Report | None = None
        self._submission: Submission = ClientSubmission(
            spark=spark,
            name=f"{spec.attempt.dag_id}.{spec.attempt.task_id}",
            files=self._files,
            project=project,
            packages=store.packages(),
            say=say,
        )

    def run(self) -> Report:
        """Run the attempt and log its story.

        :return: the report of an attempt that went through.
        :raises TidegateError: of the class the report names, after the failure card.
        """
        self._head()
        try:
            report = self._attempt()
        except TidegateError as error:
            log_file = str(self._files.path(LOG))
            for line in card(self._spec, error, self.report, log_file):
                log.error("%s", line)
            raise
        finally:
            self._forget_secrets()
        for line in green(report):
            log.info("%s", line)
        return report

    def kill(self) -> None:
        """End the attempt."""
        self._submission.end()

    def _attempt(self) -> Report:
        # A report of an earlier driver in this very folder would be taken for this one's.
        self._files.remove(REPORT)
        self._files.write(SPEC, self._spec.to_json())
        self._submission.start()
        exit_code = self._submission.follow()
        self.report = read_report(self._spec)
        if self.report is None:
            raise self._submission.lost(exit_code)
        error = error_of(self._spec, self.report)
        if error is not None:
            raise error
        return self.report

    def _head(self) -> None:
        spec = self._spec
        attempt = spec.attempt
        log.info(
            "[run] %s / %s  try %s  run %s",
            attempt.dag_id,
            attempt.task_id,
            attempt.try_number,
            attempt.run_id,
        )
        job = ""
        if spec.job:
            job = f"job {Path(spec.job).name}  "
        count = len(spec.suite.document["expectations"])
        log.info("[run] %sgate %s (%s expectations)", job, spec.suite.name, count)
        log.info("[log] %s", self._files.path(LOG))

    def _forget_secrets(self) -> None:
        """Leave the spec to whoever looks into the attempt later, without its secret conf."""
        if self._spec.conf and self._files.exists(SPEC):
            self._files.write(SPEC, replace(self._spec, conf={}).to_json())
