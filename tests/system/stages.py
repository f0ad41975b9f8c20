"""A project folder of its own, and attempts of its stages as processes to watch and to kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psutil
from tests.system.lake import Table

from tidegate.contract import Report

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SECONDS = 150
"""How long anything may take on a loaded machine before a test gives up on it."""
GONE_SECONDS = 15
"""How long what a killed task started may live on."""
MARK = "TIDEGATE_TEST_MARK"
QUICK = """
spark.sql.shuffle.partitions    2
spark.driver.extraJavaOptions   -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.driver.memory             1g
spark.ui.enabled                false
"""
"""What makes many small Spark applications bearable; nothing here changes what they do."""


def until(what: str, found: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Poll until ``found`` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.1)
    return value


def environment(root: Path, master: str) -> dict[str, str]:
    """Return the environment of a worker: this project, and nothing of whoever runs the tests."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("AIRFLOW", "SPARK_", "PYSPARK_", "TIDEGATE_"))
    }
    return kept | {
        "AIRFLOW_HOME": str(root / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": master}),
        "SPARK_CONF_DIR": str(root / "conf"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(REPOSITORY / "plugins"),
    }


class Project:
    """DAGs, jobs, suites, data, Spark's configuration, Airflow's home, and a worker."""

    def __init__(self, root: Path, master: str = "local[1]") -> None:
        self.root = root
        self.home = root / "airflow"
        self.environment = environment(root, master)
        for folder in ("dags", "spark_jobs", "expectations", "landing", "conf", "airflow"):
            (root / folder).mkdir(exist_ok=True)
        defaults = (REPOSITORY / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
        self.write("conf/spark-defaults.conf", f"{defaults}\n{QUICK}")
        self._attempts: list[Attempt] = []

    def __enter__(self) -> Self:
        with (self.root / "worker.log").open("wb") as log:
            self._worker = subprocess.Popen(
                [sys.executable, str(HERE / "task.py")],
                env=self.environment, cwd=self.home, text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        for attempt in self._attempts:
            for process in attempt.living():
                process.kill()
        self._worker.communicate(timeout=SECONDS)

    def fork(self, asked: Mapping[str, Any]) -> int:
        """Have the worker start a task; return the process id."""
        assert self._worker.stdin
        assert self._worker.stdout
        self._worker.stdin.write(json.dumps(asked) + "\n")
        answer = self._worker.stdout.readline()
        assert answer, (self.root / "worker.log").read_text(errors="replace")[-3000:]
        return int(answer)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.root / name
        file.write_text(text, encoding="utf-8")
        return file

    def suite(self, name: str, *expectations: Mapping[str, Any]) -> None:
        """Write a suite; without expectations it lets everything through."""
        self.write(
            f"expectations/{name}.json", json.dumps({"name": name, "expectations": expectations})
        )

    def table(self, name: str) -> Table:
        """Return a table of the project's lake."""
        return Table(self.root / "lake", name)

    def start(
        self,
        task_id: str,
        run_id: str,
        number: int = 1,
        *,
        ds: str = "2013-01-01",
        **variables: str | None,
    ) -> "Attempt":
        """Start one attempt of a stage of ``dags/days.py``.

        :param variables: further environment variables (None unsets one); ``TIDEGATE_STOP_AT``
            names a breakpoint (see stops/sitecustomize.py).
        """
        names = {"task_id": task_id, "run_id": run_id, "try_number": number, "ds": ds}
        self._attempts.append(Attempt(self, names, variables))
        return self._attempts[-1]


class Attempt:
    """One attempt under way: the task, spark-submit's JVM and the driver's Python."""

    def __init__(
        self, project: Project, names: Mapping[str, Any], variables: Mapping[str, str | None]
    ) -> None:
        self._mark = uuid4().hex
        self._outcome = project.root / f"outcome.{self._mark}.json"
        self._output = project.root / f"task.{self._mark}.log"
        self._output.touch()
        run = project.home / "tidegate" / "days" / names["run_id"]
        self.folder = run / names["task_id"] / "map=-1" / f"try={names['try_number']}"
        path = os.pathsep.join((str(HERE / "stops"), project.environment["PYTHONPATH"]))
        pid = project.fork(
            {
                **names,
                "dag_file": str(project.root / "dags" / "days.py"),
                "outcome": str(self._outcome),
                "output": str(self._output),
                "environment": {MARK: self._mark, "PYTHONPATH": path, **variables},
            }
        )
        self.pid = pid
        self._task = psutil.Process(pid)

    def report(self) -> Report:
        """Return what the driver reported."""
        return Report.from_json((self.folder / "report.json").read_text(encoding="utf-8"))

    def log(self) -> str:
        """Return the end of what the task printed, for a failing test to show."""
        return self._output.read_text(errors="replace")[-3000:]

    def end(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for the task's own end; return ``result``, or ``error``, ``text`` and ``then``."""
        self._task.wait(seconds)
        assert self._outcome.exists(), f"the task left no outcome: {self.log()}"
        outcome: dict[str, Any] = json.loads(self._outcome.read_text(encoding="utf-8"))
        return outcome

    def result(self) -> dict[str, Any]:
        """Wait for an attempt that must go through; return what the operator returned."""
        outcome = self.end()
        assert "result" in outcome, f"{outcome}\n{self.log()}"
        return dict(outcome["result"])

    def living(self) -> list[psutil.Process]:
        """Return every living process of this attempt: the task, and whatever has its mark."""
        found = [self._task] if self._task.is_running() else []
        for process in psutil.process_iter():
            try:
                if (
                    process.status() != psutil.STATUS_ZOMBIE
                    and process.environ().get(MARK) == self._mark
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def process(self, role: str) -> psutil.Process | None:
        """Return the ``task``, spark-submit's ``jvm`` or the ``driver``'s Python, if it lives."""
        return next((each for each in self.living() if self._role(each) == role), None)

    def _role(self, process: psutil.Process) -> str:
        if process.pid == self._task.pid:
            return "task"
        try:
            program, *words = process.cmdline() or [""]
        except psutil.Error:
            return ""
        if "org.apache.spark.deploy.SparkSubmit" in words and Path(program).name == "java":
            return "launcher" if "org.apache.spark.launcher.Main" in words else "jvm"
        is_driver = Path(program).name.startswith("python") and words[0].endswith(
            "tidegate_driver.py"
        )
        return "driver" if is_driver else ""

    def stopped(self) -> psutil.Process:
        """Wait until the driver stands at its breakpoint; return it."""

        def standing() -> psutil.Process | None:
            assert not self._outcome.exists(), f"ended before its breakpoint: {self.log()}"
            driver = self.process("driver")
            return driver if driver and driver.status() == psutil.STATUS_STOPPED else None

        driver: psutil.Process = until("the driver at its breakpoint", standing)
        return driver

    def kill(self, role: str) -> None:
        """Kill -9 one of the three."""
        victim = until(f"a {role} to kill", lambda: self.process(role))
        victim.send_signal(signal.SIGKILL)

    def gone(self) -> None:
        """Assert that nothing of this attempt lives on."""
        deadline = time.monotonic() + GONE_SECONDS
        while left := self.living():
            assert time.monotonic() < deadline, (
                f"still there after {GONE_SECONDS} s: {[p.cmdline() for p in left]}"
            )
            time.sleep(0.05)
