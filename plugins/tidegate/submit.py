"""Running a driver through the Spark provider's connection, its log in a file, its life tied to the task's."""

import ctypes
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any
from zipfile import ZipFile, ZipInfo

from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from tidegate.contract import SAYS
from tidegate.errors import SpecError

SPARK_ARGUMENTS = frozenset(
    "archives conf conn_id deploy_mode driver_class_path driver_memory env_vars exclude_packages executor_cores "
    "executor_memory files jars keytab num_executors packages principal properties_file proxy_user py_files "
    "repositories spark_binary total_executor_cores use_krb5ccache verbose yarn_queue".split()
)
"""Arguments of every operator that go to the Spark provider's hook as they are."""

_GRACE_SECONDS = 10
_TAIL_LINES = 400
_PR_SET_PDEATHSIG = 1
_LAUNCHER = "from runpy import run_module\n\nrun_module('tidegate.driver', run_name='__main__')\n"


_SECRET = re.compile(
    r"secret|password|passwd|token|access\.?key|account\.key|credential|sas\b", re.I
)


def split_secrets(spark: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the Spark arguments for the command line, and the conf that must not stand on one.

    A process list shows every command line to everybody on the machine; secret conf travels in the spec file instead,
    and is masked in the task's log.
    """
    conf = {key: str(value) for key, value in (spark.get("conf") or {}).items()}
    secret = {key: value for key, value in conf.items() if _SECRET.search(key)}
    for value in secret.values():
        mask_secret(value)
    return {**spark, "conf": {key: conf[key] for key in conf.keys() - secret.keys()}}, secret


@dataclass(kw_only=True)
class Submission:
    """One spark-submit: ``run`` blocks until it ends, ``kill`` ends it and everything it started."""

    spark: Mapping[str, Any]
    name: str
    spec_file: Path
    project: Path
    store: Path
    say: Callable[[str], None]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _process: Popen[str] | None = None

    @property
    def log_file(self) -> Path:
        """Where the whole output of spark-submit goes."""
        return self.spec_file.with_name("spark.log")

    def run(self) -> int:
        """Submit the driver and wait; return spark-submit's exit code (negative: killed by that signal).

        :raises SpecError: if the connection, Java or spark-submit is missing, or the deploy mode is ``cluster``.
        """
        environment = _environment()
        hook = self._hook(environment)
        _check_machine(hook, environment)
        package, launcher = pack_driver(self.store)
        hook._py_files = ",".join(filter(None, (str(package), hook._py_files)))
        try:
            # A session of its own, so that kill() reaches the JVM and Python alike; and PDEATHSIG, because nobody runs
            # on_kill when the task itself is killed with -9.
            hook.submit(
                str(launcher),
                cwd=self.project,
                env=environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except (AirflowException, RuntimeError):
            if hook._submit_sp is None:
                raise
        finally:
            self.kill()
        return int(hook._submit_sp.returncode)

    def _hook(self, environment: Mapping[str, str]) -> Any:
        conn_id = self.spark.get("conn_id", "spark_default")
        try:
            BaseHook.get_connection(conn_id)
        except AirflowNotFoundException as missing:
            raise SpecError(
                f"there is no Airflow connection {conn_id!r}. For Spark on this machine: "
                f"airflow connections add {conn_id} --conn-type spark --conn-host 'local[*]'; "
                "for a cluster use its master (spark://host:7077, yarn, k8s://…)"
            ) from missing
        from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

        submission = self

        class StageHook(SparkSubmitHook):
            """The provider's hook, whose output goes to a file instead of the task log."""

            def _process_spark_submit_log(self, itr: Iterator[str]) -> None:
                submission._process = self._submit_sp
                self._spark_exit_code = (
                    0  # what the provider itself sets for client mode on Kubernetes
                )
                submission._keep(itr)

        arguments = dict(self.spark)
        if variables := arguments.get("env_vars"):
            arguments["env_vars"] = {**environment, **variables}
        return StageHook(**arguments, name=self.name, application_args=[str(self.spec_file)])

    def _keep(self, lines: Iterator[str]) -> None:
        with self.log_file.open("w", encoding="utf-8") as out:
            for line in lines:
                if line.startswith(SAYS):
                    self.say(line.removeprefix(SAYS).rstrip())
                else:
                    out.write(line)
                    self.tail.append(line.rstrip())

    def kill(self) -> None:
        """End spark-submit, the JVM and the Python driver, politely at first; return when they are gone."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(TimeoutExpired):
                process.wait(_GRACE_SECONDS)
                return


def _end_with_parent() -> None:
    if sys.platform == "linux":
        # SIGTERM, for the JVM to clean its folders up; its Python driver is killed outright when the JVM is gone.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment() -> dict[str, str]:
    """Return the driver's environment: this one, with this interpreter as the driver's unless told otherwise."""
    found = dict(os.environ)
    found["PATH"] = os.pathsep.join((found.get("PATH", ""), str(Path(sys.executable).parent)))
    found.setdefault("PYSPARK_DRIVER_PYTHON", found.get("PYSPARK_PYTHON", sys.executable))
    found.setdefault("GX_ANALYTICS_ENABLED", "false")
    return found


def _check_machine(hook: Any, environment: dict[str, str]) -> None:
    connection = hook._connection
    if connection["deploy_mode"] == "cluster":
        raise SpecError(
            f"connection {hook._conn_id!r} asks for deploy-mode cluster, where the report would stay on another "
            "machine; use client: the executors run on the cluster all the same"
        )
    if connection["master"].startswith("local"):
        environment.setdefault("PYSPARK_PYTHON", environment["PYSPARK_DRIVER_PYTHON"])
    java = (
        Path(environment.get("JAVA_HOME", ""), "bin", "java")
        if environment.get("JAVA_HOME")
        else Path("java")
    )
    if shutil.which(str(java), path=environment["PATH"]) is None:
        raise SpecError(
            f"no Java: {java} is not there. Spark 4.1 needs Java 17 or 21 on this worker; install it or set JAVA_HOME"
        )
    if shutil.which(connection["spark_binary"], path=environment["PATH"]) is None:
        raise SpecError(
            f"no {connection['spark_binary']} on this worker's PATH: pip install pyspark (the version in "
            "constraints.txt), or put your Spark's bin folder on the PATH"
        )


def pack_driver(store: Path) -> tuple[Path, Path]:
    """Return the driver's zip for ``--py-files`` and the file that starts it, packing them if ``store`` lacks them."""
    root = Path(__file__).parent
    files = [
        root / "__init__.py",
        root / "errors.py",
        *sorted(root.glob("contract/*.py")),
        *sorted(root.rglob("driver/**/*.py")),
    ]
    content = {
        str(file.relative_to(root.parent)): file.read_bytes() for file in dict.fromkeys(files)
    }
    folder = store / "driver" / sha256(repr(sorted(content.items())).encode()).hexdigest()[:16]
    package, launcher = folder / "tidegate.zip", folder / "tidegate_driver.py"
    if not launcher.exists():
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{os.getpid()}.zip"
        with ZipFile(aside, "w") as archive:
            for name, data in content.items():
                archive.writestr(ZipInfo(name), data)
        aside.replace(package)
        launcher.write_text(_LAUNCHER, encoding="utf-8")
    return package, launcher
