"""Stages whose drivers stay for the next: a project, its attempts, and the processes they leave."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from tests.system.stages import REPOSITORY, environment, until

from tidegate.contract import Attempt, Report, StageSpec, Suite, digest, parse_read
from tidegate.errors import TidegateError
from tidegate.operators.run import StageRun
from tidegate.store import LOG, AttemptFiles, Store
from tidegate.submit.secrets import part

CONF = """
spark.sql.shuffle.partitions    2
spark.driver.memory             1g
spark.ui.enabled                false
"""
CLOSED = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1000}}


class Heard:
    """Who keeps what a driver tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def spark_ui(self, address: str) -> None:
        pass


class House:
    """A project folder, whose stages run as the operator runs them, in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.heard = Heard()
        self._numbers = iter(range(1000))
        for name in ("spark_jobs", "conf", "tmp"):
            (root / name).mkdir()
        defaults = (REPOSITORY / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
        (root / "conf" / "spark-defaults.conf").write_text(f"{defaults}\n{CONF}")
        (root / "rows.csv").write_text("id\n1\n2\n3\n")

    def environment(self) -> dict[str, str]:
        return {
            **environment(self.root, "local[1]"),
            "AIRFLOW__TIDEGATE__KEEP_WARM": "120",
            "AIRFLOW__TIDEGATE__WARM_DRIVERS": "1",
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.root}/mlflow.db",
        }

    def spec(self, text: str, *gate: dict[str, Any], **params: Any) -> StageSpec:
        number = next(self._numbers)
        job = self.root / "spark_jobs" / f"job{number}.py"
        job.write_text(text, encoding="utf-8")
        attempt = Attempt(
            dag_id="d",
            task_id="t",
            run_id=f"r{number}",
            map_index=-1,
            try_number=1,
            generation=0,
            submitted_ms=int(time.time() * 1000),
        )
        return StageSpec(
            kind="batch",
            attempt=attempt,
            reads=(parse_read("rows", (self.root / "rows.csv").as_uri()),),
            suite=Suite(name="s", document={"expectations": list(gate)}),
            params=params,
            folder=self._store.files(attempt).uri,
            job=str(job),
            job_sha256=digest(job.read_bytes()),
            writes="lake.t.rows",
        )

    @property
    def _store(self) -> Store:
        return Store(str(self.root / "reports"))

    def stage(self, spec: StageSpec, **spark: Any) -> Report:
        """Run a stage; return its report."""
        self.heard = Heard()
        settings = part({"conn_id": "spark_default", **spark})
        current = os.environ.pop("PYTEST_CURRENT_TEST", "")  # another start for each test
        try:
            return StageRun(spec, self.root, self._store, settings, self.heard).run()
        except TidegateError as error:
            error.add_note(f"{self.told()}\n{self.log(spec)[-3000:]}")
            raise
        finally:
            os.environ["PYTEST_CURRENT_TEST"] = current

    def log(self, spec: StageSpec) -> str:
        return AttemptFiles(spec.folder).path(LOG).read_text(encoding="utf-8")

    @property
    def start(self) -> str:
        """What the last stage's task was told of its driver."""
        (line,) = [line for line in self.heard.lines if line.startswith("[run]")]
        return line

    def living(self) -> list[psutil.Process]:
        """Return every process of keepers and drivers of this project, and whatever they began."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("AIRFLOW_HOME") == str(self.root / "airflow")
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.pid != os.getpid()]

    def door(self) -> Path:
        return Path(self.root, "tmp", f"tidegate-{os.getuid()}", "0.sock")

    def told(self) -> str:
        """Return what the keeper said of its doings."""
        return self.door().with_suffix(".log").read_text(encoding="utf-8")

    def rests(self) -> None:
        """Wait until the driver waits for its next attempt."""

        def waits() -> bool:
            told = self.told()
            assert "over" not in told, told
            return any(told.rstrip().endswith(each) for each in ("waits", "another start"))

        until("a driver that waits", waits)

    def gone(self, seconds: float = 20) -> None:
        """Wait until nothing of this project lives."""
        until("the end of all drivers", lambda: not self.living(), seconds)
        assert not self.door().exists()


def forked(work: Callable[[], Any]) -> Any:
    """Run something in a process of its own, as a worker runs a task; return the process."""
    process = get_context("fork").Process(target=work)
    process.start()
    return process


def worker(task: Callable[[], Any]) -> None:
    """Be a worker: run a task in a process of its own, and go on."""
    forked(task).join()
    time.sleep(600)


def house(root: Path, monkeypatch: Any) -> Iterator[House]:
    """Give a project, and end all that its stages have left."""
    made = House(root)
    for name in [each for each in os.environ if each.startswith(("AIRFLOW", "SPARK_", "PYSPARK_"))]:
        monkeypatch.delenv(name)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(root / "tmp"))
    try:
        yield made
    finally:
        for process in made.living():
            process.kill()


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
