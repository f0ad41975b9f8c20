"""Client mode: spark-submit beside the task, its log in a file, its life tied to the task's."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from tidegate.errors import SpecError, TidegateError
from tidegate.store import LOG, SPEC, AttemptFiles
from tidegate.submit.hook import add_conf, add_py_files, connection_of, open_hook, run_hook
from tidegate.submit.lost import lost
from tidegate.submit.machine import check_machine, driver_environment
from tidegate.submit.output import Output
from tidegate.submit.package import pack_driver
from tidegate.submit.protocol import Listener
from tidegate.submit.secrets import Settings, shown_variables
from tidegate.submit.told import Told

log = logging.getLogger(__name__)

_GRACE_SECONDS = 10
_PR_SET_PDEATHSIG = 1


@dataclass(kw_only=True)
class ClientSubmission:
    """One spark-submit in client mode; a :class:`~tidegate.submit.protocol.Submission`.

    :param settings: the operator's Spark arguments, parted by what may be seen of them.
    :param name: of the Spark application.
    :param files: the attempt's; its spec is there already.
    :param project: the folder that spark-submit runs in.
    :param packages: the folder for packed drivers.
    :param listener: is told what the driver means for the task log.
    """

    settings: Settings
    name: str
    files: AttemptFiles
    project: Path
    packages: Path
    listener: Listener
    _environment: dict[str, str] = field(default_factory=dict)
    _process: Popen[str] | None = None
    _hook: Any = None

    def __post_init__(self) -> None:
        self._output = Output(self.settings.secrets)
        # The process's own environment, which no command line shows: never the hook's `env_vars`,
        # for it writes those out as conf on YARN and Kubernetes.
        self._environment = driver_environment() | dict(self.settings.variables)

    def start(self) -> None:
        """Check connection and machine.

        :raises SpecError: if connection, Java or spark-submit is missing, or the mode is cluster.
        """
        self._hook = open_hook(self.settings.shown, self.name, self.files.path(SPEC), self._keep)
        connection = connection_of(self._hook)
        conn_id = self.settings.shown.get("conn_id", "spark_default")
        if connection["deploy_mode"] == "cluster":
            raise SpecError(
                f"connection {conn_id!r} asks for deploy-mode "
                "cluster, where the report would stay on another machine; use client: the "
                "executors run on the cluster all the same"
            )
        master = connection["master"]
        add_conf(self._hook, shown_variables(self.settings, master))
        if master.startswith("local"):
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
        return lost(exit_code, self._output.tail)

    def _keep(self, process: Popen[str], _: Iterator[str]) -> None:
        # Not by the lines that the hook offers: one line may be larger than the worker's memory,
        # and one byte that is no UTF-8 ends them.
        self._process = process
        told = Told(files=self.files, listener=self.listener)
        with open(self.files.open_new(LOG), "wb") as out:
            self._output.copy(process, out, told.look)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        # SIGTERM, for the JVM to clean its folders up; its Python driver is killed outright when
        # the JVM is gone.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
