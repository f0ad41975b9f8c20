"""One driver on YARN: submitted, followed, ended; told apart from the spark-submit beside it."""

import re
from contextlib import suppress
from time import monotonic, sleep

from tidegate.contract import Attempt
from tidegate.errors import ClusterUnavailable, TidegateError
from tidegate.store import DOCS, DRIVERS_SPEC, KEYTAB, REPORT, SPEC, TOLD, Files
from tidegate.submit.cluster import Cluster
from tidegate.submit.earlier import left_running
from tidegate.submit.elsewhere import arguments, digest_of, place_of, travelling
from tidegate.submit.process import SparkSubmit
from tidegate.submit.protocol import Order, Ticket
from tidegate.submit.shared import fetch, inherit, is_anothers, reached
from tidegate.submit.told import Told
from tidegate.submit.yarn.client import Application, Yarn
from tidegate.submit.yarn.order import conf_of, submitters_variables
from tidegate.submit.yarn.reasons import lost_on_yarn
from tidegate.submit.yarn.watch import reach_of, yarn_of

_POLL_SECONDS = 5
_PATIENCE_SECONDS = 0.3
_AWAY_SECONDS = 600
"""How long a ResourceManager may not answer before the attempt gives up on it."""
_LOG_LOOKS = 3
_MOST_LOG = 4 * 1024 * 1024
"""Bytes of each of the driver's two streams."""
_ENDED = 1
"""What a driver that was ended from here counts as having ended with."""
_SUBMITTED = re.compile(r"(?:Submitted application|Application report for) (application_\d+_\d+)")
"""Not before: its id is logged while what it needs is still being uploaded."""


class YarnSubmission:
    """One driver in cluster mode; a :class:`~tidegate.submit.protocol.Lasting`.

    spark-submit uploads what the driver needs and follows the application. Where it is gone, or the
    application is an earlier try's, YARN is asked instead.

    :param ticket: of a driver that was let go, which is followed without a start.
    """

    def __init__(self, order: Order, cluster: Cluster, ticket: Ticket | None = None) -> None:
        self._order = order
        self._cluster = cluster
        self._attempt = order.spec.attempt
        self._process = SparkSubmit(order, cluster, submitters_variables(order))
        self._told = Told(files=order.files, listener=order.listener)
        self._yarn: Yarn | None = None
        self._application: str | None = None
        self._last: Application | None = None
        self._fetched = 0.0
        self._is_named = False
        self._is_over = False
        if ticket is not None:
            self._yarn = yarn_of(ticket.reach)
            self._application = ticket.id
            self._attempt = ticket.attempt

    @property
    def attempt(self) -> Attempt:
        """The order's, or the earlier try's whose application is followed."""
        return self._attempt

    def start(self) -> None:
        """Check connection, machine and place of the reports; find what an earlier try left.

        :raises SpecError: if one of them lacks something.
        :raises ClusterUnavailable: if YARN does not answer.
        """
        order = self._order
        order.files.write(DRIVERS_SPEC, travelling(order, self._there).to_json())
        self._process.prepare(DRIVERS_SPEC, arguments(order), conf_of(order, self._cluster.master))
        self._yarn = yarn_of(self._reach)
        asked = order.spec.without_secrets().to_json()
        order.files.write(SPEC, asked)  # here, nobody needs the secrets
        left = left_running(order, self._yarn)
        if left is not None:
            self._application, self._attempt = left
            for name in (DRIVERS_SPEC, KEYTAB):  # nothing is submitted
                order.files.remove(name)
            inherit(self._there, order.spec.attempt)
            return
        with reached(SPEC):
            self._there.write(SPEC, asked)  # a try after this one looks for what was asked

    def let_go(self) -> Ticket:
        """Have YARN take the driver, unless an earlier try's still runs; return its application.

        :raises TidegateError: if YARN does not take it.
        """
        if self._application is None:
            code = self._process.run(self._look)
            self._application = self._submitted() or self._unnoticed()
            if self._application is None:
                self._is_over = True
                raise self.lost(code)
        if self._yarn is not None and (page := self._yarn.page(self._application)):
            self._order.listener.spark_ui(page)
        return Ticket(
            attempt=self._attempt, manager="yarn", id=self._application, reach=self._reach
        )

    @property
    def _there(self) -> Files:
        return place_of(self._order, self._attempt)

    @property
    def _reach(self) -> dict[str, str]:
        process = self._process
        return reach_of(process.binary, process.environment, self._cluster.resource_manager)

    def follow(self) -> int:
        """Have the driver run to its end; return 0 if and only if YARN says it went through."""
        if self._is_over:  # ended before it began
            return _ENDED
        try:
            if self._application is None:
                code = self._process.run(self._look)
                self._application = self._submitted()
                if code and self._application is None:
                    self._application = self._unnoticed()
            else:
                code = self._wait()
            # spark-submit may be gone, or have lost sight of the ResourceManager: YARN decides.
            if code and self._application and not self._is_over:
                code = self._wait()
            was_ended = self._is_over
            self._is_over = True
        finally:
            self.end()
        fetch(self._there, self._order.files, REPORT, DOCS, TOLD)
        self._told.look()
        if not was_ended:
            self._take_log()
        return code

    def end(self) -> None:
        """End the application, and the spark-submit that follows it."""
        if self._is_over:
            return
        self._is_over = True
        if self._yarn is None:
            return
        # What cannot be ended now, a retry finds by its tag, and the fence keeps out.
        with suppress(ClusterUnavailable):
            if not is_anothers(self._there, self._order.spec.attempt):
                self._end_application(self._yarn)
        self._process.end()

    def _end_application(self, yarn: Yarn) -> None:
        known = self._application or self._submitted()
        if known:
            # YARN first: spark-submit may take longer to end than Airflow leaves the task to live.
            yarn.kill(known, self._process.end)
            return
        self._process.end()  # before it is asked for: nothing is submitted afterwards
        found = yarn.find(digest_of(self._attempt))
        if found:
            yarn.kill(found)

    def lost(self, exit_code: int) -> TidegateError:
        """Read YARN's diagnostics and the end of the logs for what it means."""
        if self._yarn is not None and self._application is not None:
            with suppress(ClusterUnavailable):  # the logs say it alone, then
                self._last = self._yarn.application(self._application)
        return lost_on_yarn(self._last, exit_code, self._process.tail)

    def _submitted(self) -> str | None:
        for line in self._process.tail:
            if found := _SUBMITTED.search(line):
                return found[1]
        return None

    def _unnoticed(self) -> str | None:
        """Look for what spark-submit may have submitted without a word before it died."""
        if self._yarn is None or self._is_over:
            return None
        with suppress(ClusterUnavailable):  # spark-submit's own log says why
            return self._yarn.find(digest_of(self._attempt))
        return None

    def _wait(self) -> int:
        """Ask YARN until the application has ended; a ResourceManager may be away for a while."""
        heard = asked = monotonic() - _POLL_SECONDS
        while not self._is_over:
            self._look()
            sleep(_PATIENCE_SECONDS)
            if monotonic() - asked < _POLL_SECONDS:
                continue
            asked = monotonic()
            try:
                ended = self._ended()
            except ClusterUnavailable:
                if monotonic() - heard > _AWAY_SECONDS:
                    raise
                continue
            heard = monotonic()
            if ended is not None:
                return ended.exit_code
        return _ENDED

    def _ended(self) -> Application | None:
        if self._yarn is None or self._application is None:
            return None
        self._last = self._yarn.application(self._application)
        if self._last.is_active:
            return None
        return self._last

    def _look(self) -> None:
        """Tell which application it is, once, and hand on what the driver has told since."""
        if not self._is_named and (found := self._submitted()):
            self._is_named = True
            self._order.files.remove(DRIVERS_SPEC)  # it has been uploaded
            self._order.listener.say(f"{found} on YARN")
        if monotonic() - self._fetched > _POLL_SECONDS:
            self._fetched = monotonic()
            with suppress(ClusterUnavailable):  # the next look tells it
                fetch(self._there, self._order.files, TOLD)
        self._told.look()

    def _take_log(self) -> None:
        """Add the driver's own log to spark-submit's, once YARN has gathered it."""
        if self._yarn is None or self._application is None:
            return
        for look in range(_LOG_LOOKS):
            if look:
                sleep(_POLL_SECONDS)
            if found := self._yarn.log(self._application, _MOST_LOG):
                self._process.add_to_log(b"\n---- the driver's own log\n" + found + b"\n")
                return
