"""One spark-submit beside the task: its log in a file, its life tied to the task's."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from tidegate.errors import SpecError
from tidegate.store import KEYTAB, LOG
from tidegate.submit.cluster import Cluster
from tidegate.submit.hook import (
    add_conf,
    add_py_files,
    command_of,
    connection_of,
    open_hook,
    run_hook,
)
from tidegate.submit.machine import check_hadoop, check_machine, driver_environment
from tidegate.submit.output import Output
from tidegate.submit.package import pack_driver
from tidegate.submit.protocol import Order

log = logging.getLogger(__name__)

_GRACE_SECONDS = 10
_PR_SET_PDEATHSIG = 1


class SparkSubmit:
    """A process that submits an attempt's driver, or is it.

    :param variables: what the process has in its environment besides the worker's own.
    """

    def __init__(self, order: Order, cluster: Cluster, variables: dict[str, str]) -> None:
        self._order = order
        self._cluster = cluster
        self.output = Output(order.settings.secrets)
        # The process's own environment, which no command line shows: never the hook's `env_vars`,
        # for it writes those out as conf on YARN and Kubernetes.
        self.environment = driver_environment() | variables
        if cluster.manager == "local":
            driver = self.environment["PYSPARK_DRIVER_PYTHON"]
            self.environment.setdefault("PYSPARK_PYTHON", driver)
        self._process: Popen[str] | None = None
        self._hook: Any = None
        self._meanwhile: Callable[[], None] = _nothing

    @property
    def tail(self) -> Iterable[str]:
        """The end of its output."""
        return self.output.tail

    def prepare(self, argument: str, spark: Mapping[str, Any], conf: Mapping[str, str]) -> None:
        """Check connection and machine.

        :param argument: of the driver: its spec file.
        :param spark: the arguments of the provider's hook.
        :param conf: what is added to those, once the provider has taken them.
        :raises SpecError: if the provider refuses the connection, or Java, spark-submit, a file or
            Hadoop's configuration is missing.
        """
        self._check_properties(spark.get("properties_file"))
        spark = {**spark, **self._kept_keytab()}
        self._hook = open_hook(spark, self._order.name, argument, self._keep)
        add_conf(self._hook, conf)
        check_machine(self.environment, connection_of(self._hook)["spark_binary"])
        if self._cluster.manager == "yarn":
            check_hadoop(self.environment)

    @property
    def binary(self) -> str:
        """The program that submits."""
        return str(connection_of(self._hook)["spark_binary"])

    def command(self, name: str) -> list[str]:
        """Return the command that submits such a driver, without the arguments of an attempt.

        :param name: of its application.
        """
        package, launcher = pack_driver(self._order.store.packages())
        return command_of(self._hook, package, launcher, name)

    def run(self, meanwhile: Callable[[], None]) -> int:
        """Submit, and wait for the process's end; return its exit code.

        :param meanwhile: is called several times a second.
        """
        self._meanwhile = meanwhile
        package, launcher = pack_driver(self._order.store.packages())
        add_py_files(self._hook, package)
        try:
            # A session of its own, so that end() reaches the JVM and Python alike; and PDEATHSIG,
            # because nobody runs on_kill when the task itself is killed with -9.
            code = run_hook(
                self._hook,
                launcher,
                cwd=self._order.project,
                env=self.environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        finally:
            self.end()
            self._order.files.remove(KEYTAB)
        if self._process is None:
            log.warning("the Spark provider no longer hands over its output: it went to this log")
        return code

    def end(self) -> None:
        """End spark-submit and everything it started here: asked first, then killed."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(process.pid, number)
            with suppress(TimeoutExpired):  # it does not listen: killed next
                process.wait(_GRACE_SECONDS)
                return

    def _keep(self, process: Popen[str], _: Iterator[str]) -> None:
        # Not by the lines that the hook offers: one line may be larger than the worker's memory,
        # and one byte that is no UTF-8 ends them.
        self._process = process
        with open(self._order.files.open_new(LOG), "wb", buffering=0) as out:
            self.output.copy(process, out, self._meanwhile)

    def add_to_log(self, piece: bytes) -> None:
        """Add what was logged elsewhere to the log and its end, without known secrets."""
        with open(self._order.files.open_more(LOG), "ab", buffering=0) as out:
            self.output.take(piece, out)

    def _kept_keytab(self) -> dict[str, str]:
        """Return the argument that names the connection's keytab, laid out for its owner alone.

        The provider would leave it in the machine's own folder for temporary files, readable by
        everybody, for good.
        """
        if not self._cluster.keytab:
            return {}
        with open(self._order.files.open_new(KEYTAB), "wb") as out:
            out.write(self._cluster.keytab)
        return {"keytab": str(self._order.files.path(KEYTAB))}

    def _check_properties(self, named: str | None) -> None:
        if named and not Path(self._order.project, named).is_file():
            raise SpecError(
                f"properties_file={named!r}: no such file on this worker, below "
                f"{self._order.project}; Spark would not start"
            )


def _nothing() -> None:
    """Do nothing, until there is something to be done meanwhile."""


def _end_with_parent() -> None:
    if sys.platform == "linux":
        # SIGTERM, for the JVM to clean its folders up; its Python driver is killed outright when
        # the JVM is gone.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
