"""One attempt, from a spec on disk to a report told in the task log."""

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tidegate.contract import Attempt, Report, StageSpec, scrub
from tidegate.errors import ResourceExhausted, SpecError, TidegateError
from tidegate.settings import warmth
from tidegate.store import DRIVERS_SPEC, KEYTAB, LOG, PAGE, SPEC, TICKET, AttemptFiles, Store
from tidegate.submit.protocol import Listener, Order, Submission, Ticket
from tidegate.submit.secrets import Settings
from tidegate.submit.shared import reached
from tidegate.submit.ways import lasting, resumed, submission
from tidegate.telling.card import card, refusal
from tidegate.telling.green import green, head
from tidegate.telling.outcome import UNBELIEVABLE, error_of, read_report
from tidegate.telling.page import page, tries_around

Way = TypeVar("Way", bound=Submission)
log = logging.getLogger(__name__)


@contextmanager
def refusals_told(attempt: Attempt) -> Iterator[None]:
    """Log a card of whatever is refused in this block, before it is raised on."""
    try:
        yield
    except TidegateError as error:
        for line in refusal(attempt, error):
            log.error("%s", line)
        raise


class StageRun:
    """Submits one attempt's driver, waits, and turns its report into log lines or an error.

    :param settings: the operator's Spark arguments, parted by what may be seen of them.
    :param listener: is told what the driver says while it works.
    """

    def __init__(
        self,
        spec: StageSpec,
        project: Path,
        store: Store,
        settings: Settings,
        listener: Listener,
    ) -> None:
        self._spec = spec
        self._store = store
        self._secrets = settings.secrets
        self._files = AttemptFiles(spec.folder)
        self._log_file = store.below(self._files, LOG)
        self.report: Report | None = None
        self._order = Order(
            spec=spec,
            warmth=warmth(),
            settings=settings,
            store=store,
            project=project,
            listener=listener,
        )
        self._submission: Submission | None = None

    def run(self) -> Report:
        """Run the attempt and log its story.

        :return: the report of an attempt that went through.
        :raises TidegateError: of the class the report names, after the failure card.
        """
        with self._told():
            self._prepare()
            report = self._outcome(self._begun(submission(self._order)))
        for line in green(report):
            log.info("%s", line)
        return report

    def let_go(self) -> Ticket:
        """Have a cluster take the attempt's driver; return what it is known by.

        :raises TidegateError: if it does not, after the failure card.
        """
        with self._told():
            self._prepare()
            order = replace(self._order, lets_go=True)
            ticket = self._begun(lasting(order)).let_go()
            with reached(TICKET):
                self._store.common(self._spec.attempt).write(TICKET, ticket.to_json())
        return ticket

    def resume(self, ticket: Ticket) -> Report:
        """Follow a driver that was let go to its end, and log the rest of the story.

        :return: the report of an attempt that went through.
        :raises TidegateError: of the class the report names, after the failure card.
        """
        with self._told():
            with reached(LOG):
                self._files.keep()
                self._store.bring(self._spec.attempt, LOG)  # of the worker that submitted it
            self._submission = resumed(self._order, ticket)
            report = self._outcome(self._submission)
        for line in green(report):
            log.info("%s", line)
        return report

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Log a card of what fails in this block; leave the files to whoever reads them next."""
        try:
            yield
        except TidegateError as error:
            for line in card(self._spec, error, self.report, self._log_file):
                log.error("%s", line)
            raise
        finally:
            self._keep_page()
            self._forget_secrets()
            self._leave()

    def kill(self) -> None:
        """End the attempt."""
        if self._submission is not None:
            self._submission.end()

    def _begun(self, way: Way) -> Way:
        self._submission = way
        way.start()
        return way

    def _outcome(self, way: Submission) -> Report:
        exit_code = way.follow()
        # An earlier try's driver that still ran is this try's too, and so is its report.
        self.report = read_report(replace(self._spec, attempt=way.attempt))
        if self.report is None:
            raise self._without_values(way.lost(exit_code))
        error = error_of(self._spec, self.report, exit_code)
        if error is not None:
            raise error
        return self.report

    def _without_values(self, error: TidegateError) -> TidegateError:
        if self._spec.suite.has_pii:  # the end of Spark's output may quote a value
            return error.without_quote()
        return error

    def _prepare(self) -> None:
        """Lay out the attempt's folder; an earlier try's that was killed loses its secrets."""
        for line in head(self._spec, self._store.root, self._log_file):
            log.info("%s", line)
        try:
            for files in self._store.earlier(self._spec.attempt):
                _forget(files, self._secrets)
            self._files.create()
            self._files.write(SPEC, self._spec.to_json())
        except OSError as failed:
            full = failed.errno in (errno.ENOSPC, errno.EDQUOT)
            error = ResourceExhausted if full else SpecError
            raise error(
                f"[tidegate] reports_dir: {failed.strerror} at {failed.filename}; this worker must "
                "be able to write there"
            ) from failed

    def _keep_page(self) -> None:
        """Lay the page beside the report, for people without Airflow's UI."""
        if self.report is None:
            return
        with suppress(*UNBELIEVABLE):  # the report says it all: no stage fails for want of a page
            tries = tries_around(self._store, self._spec.attempt)
            addresses = {number: f"../try={number}/{PAGE}" for number in tries}
            self._files.write(PAGE, page(self.report, addresses))

    def _forget_secrets(self) -> None:
        """Leave the spec to whoever looks into the attempt later, without its secret conf."""
        with suppress(OSError):  # there is no room for it: the next try will
            _forget(self._files, self._secrets)

    def _leave(self) -> None:
        """Leave the attempt's files where all machines find them; the task does not hang on it."""
        try:
            self._store.leave(self._spec.attempt)
        except UNBELIEVABLE as failed:
            log.warning("[tidegate] reports_dir: %s; the page cannot be shown", failed)


def _forget(files: AttemptFiles, secrets: Sequence[str]) -> None:
    """Take the secrets out of files that nobody needs any more."""
    for name in (DRIVERS_SPEC, KEYTAB):
        files.remove(name)
    if not files.exists(SPEC):
        return
    before = files.read(SPEC)
    try:
        after = StageSpec.from_json(before).without_secrets().to_json()
    except (SpecError, ValueError, KeyError, TypeError):
        after = "{}"  # of another version, or damaged: nobody can use it
    after = scrub(after, secrets)
    if after != before:
        files.write(SPEC, after)
