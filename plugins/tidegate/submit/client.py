"""Client mode: spark-submit beside the task, its log in a file, its life tied to the task's."""

import ctypes
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from tidegate.contract import SAYS
from tidegate.errors import SpecError, TidegateError
from tidegate.store import LOG, SPEC, AttemptFiles
from tidegate.submit.hook import add_py_files, connection_of, open_hook, run_hook
from tidegate.submit.lost import lost
from tidegate.submit.machine import check_machine, driver_environment
from tidegate.submit.package import pack_driver

log = logging.getLogger(__name__)

_GRACE_SECONDS = 10
_TAIL_LINES = 400
_PR_SET_PDEATHSIG = 1


@dataclass(kw_only=True)
class ClientSubmission:
    """One spark-submit in client mode; a :class:`~tidegate.submit.protocol.Submission`.

    :param spark: the operator's Spark arguments.
    :param name: of the Spark application.
    :param files: the attempt's; its spec is there already.
    :param project: the folder that spark-submit runs in.
    :param packages: the folder for packed drivers.
    :param say: is given each line that the driver means for the task log.
    """

    spark: Mapping[str, Any]
    name: str
    files: AttemptFiles
    project: Path
    packages: Path
    say: Callable[[str], None]
    _tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _environment: dict[str, str] = field(default_factory=driver_environment)
    _process: Popen[str] | None = None
    _hook: Any = None

    def start(self) -> None:
        """Check connection and machine.

        :raises SpecError: if connection, Java or spark-submit is missing, or the mode is cluster.
        """
        spark = dict(self.spark)
        if variables := spark.get("env_vars"):
            spark["env_vars"] = {**self._environment, **variables}
        self._hook = open_hook(spark, self.name, self.files.path(SPEC), self._keep)
        connection = connection_of(self._hook)
        if connection["deploy_mode"] == "cluster":
            raise SpecError(
                f"connection {spark.get('conn_id', 'spark_default')!r} asks for deploy-mode "
                "cluster, where the report would stay on another machine; use client: the "
                "executors run on the cluster all the same"
            )
        if connection["master"].startswith("local"):
            driver = self._environment["PYSPARK_DRIVER_PYTHON"]
            self._environment.setdefault("PYSPARK_PYTHON", driver)
        check_machine(self._environment, connection["spark_binary"])

    def follow(self) -> int:
        """Submit the driver and wait; return spark-submit's exit code."""
        package, launcher = pack_driver(self.packages)
        add_py_files(self._hook, package)
        try:
            # A session of its own, so that end() reaches the JVM and Python alike; and PDEATHSIG,
            # because nobody runs on_kill when the task itself is killed with -9.
            code = run_hook(
                self._hook,
                launcher,
                cwd=self.project,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        finally:
            self.end()
        if self._process is None:
            log.warning("the Spark provider no longer hands over its output: it went to this log")
        return code

    def end(self) -> None:
        """End spark-submit and everything it started: asked first, then killed."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(process.pid, number)
            with suppress(TimeoutExpired):  # it does not listen: killed next
                process.wait(_GRACE_SECONDS)
                return

    def lost(self, exit_code: int) -> TidegateError:
        """Read the end of the output for what it means."""
        return lost(exit_code, self._tail)

    def _keep(self, process: Popen[str], lines: Iterator[str]) -> None:
        self._process = process
        with self.files.path(LOG).open("w", encoding="utf-8") as out:
            for line in lines:
                if line.startswith(SAYS):
                    self.say(line.removeprefix(SAYS).rstrip())
                else:
                    out.write(line)
                    self._tail.append(line.rstrip())


def _end_with_parent() -> None:
    if sys.platform == "linux":
        # SIGTERM, for the JVM to clean its folders up; its Python driver is killed outright when
        # the JVM is gone.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
