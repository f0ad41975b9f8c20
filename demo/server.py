"""Airflow's own processes on this machine, for the demo, ``make up`` and the system tests."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

PROJECT = Path(__file__).resolve().parents[1]
COMPONENTS = ("api-server", "scheduler", "dag-processor")
KEEP_WARM = {
    "AIRFLOW__TIDEGATE__KEEP_WARM": os.environ.get("AIRFLOW__TIDEGATE__KEEP_WARM", "300"),
}
"""The settings by which drivers stay for the next stage; each start costs ten seconds."""
_READY_SECONDS = 180
_STOP_SECONDS = 30


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AirflowServer:
    """Scheduler, DAG processor and API server, with a SQLite database in ``home``.

    A context manager.

    :param home: AIRFLOW_HOME; kept between runs, so a second start is quick.
    :param dags: the folder of DAG files.
    :param settings: further environment variables, stronger than the defaults here.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.url = f"http://127.0.0.1:{port or free_port()}"
        self.password = secrets.token_urlsafe(12)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, **self._defaults(dags), **(settings or {})}
        self._token = ""

    def _defaults(self, dags: Path) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "3",
            # Unpausing a DAG would start its run of last night, whose data nobody landed.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.absolute()),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW_CONN_SPARK_DEFAULT": os.environ.get(
                "AIRFLOW_CONN_SPARK_DEFAULT", json.dumps({"conn_type": "spark", "host": "local[*]"})
            ),
            "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(PROJECT / "conf")),
            "SPARK_LOCAL_IP": "127.0.0.1",
            # A day of flights is over before the optimising compiler pays; real work does without
            # this.
            "JDK_JAVA_OPTIONS": os.environ.get(
                "JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
            ),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = Path(self.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        passwords.write_text(
            json.dumps({"admin": self.password, "viewer": self.password}), encoding="utf-8"
        )
        passwords.chmod(0o600)
        try:
            self._run_once("db", "migrate")
            for component in COMPONENTS:
                self._start(component)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run_once(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"airflow {' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )

    def _start(self, component: str) -> None:
        with (self.home / f"{component}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "airflow", component],
                    env=self.environment,
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            for component, process in zip(COMPONENTS, self._processes, strict=True):
                if process.poll() is not None:
                    tail = (self.home / f"{component}.log").read_text(errors="replace")[-3000:]
                    raise RuntimeError(
                        f"airflow {component} ended at once "
                        f"(exit code {process.returncode}):\n{tail}"
                    )
            try:
                health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
                if health.get("scheduler", {}).get("status") == "healthy":
                    return
            except (requests.RequestException, ValueError):
                pass
            time.sleep(0.5)
        raise RuntimeError(
            f"Airflow did not answer within {_READY_SECONDS} s; its logs are in {self.home}"
        )

    def stop(self) -> None:
        """End every process that was started, and what those started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            alive = [process for process in self._processes if process.poll() is None]
            for process in alive:
                os.killpg(process.pid, number)
            deadline = time.monotonic() + _STOP_SECONDS
            for process in alive:
                try:
                    process.wait(max(deadline - time.monotonic(), 0.1))
                except subprocess.TimeoutExpired:
                    continue
        self._processes.clear()

    def call(self, method: str, path: str, user: str = "admin", **json_body: Any) -> Any:
        """Call Airflow's REST API (``path`` below ``/api/v2/``); return the decoded answer.

        :raises requests.HTTPError: if the server refuses.
        """
        answer = requests.request(
            method,
            f"{self.url}/api/v2/{path}",
            headers={"Authorization": f"Bearer {self.token(user)}"},
            json=json_body or None,
            timeout=60,
        )
        if not answer.ok:
            raise requests.HTTPError(
                f"{method} {path}: {answer.status_code} {answer.text[:500]}", response=answer
            )
        return answer.json() if answer.content else None

    def token(self, user: str = "admin") -> str:
        """Return an access token for ``user``."""
        login = {"username": user, "password": self.password}
        answer = requests.post(f"{self.url}/auth/token", json=login, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Unpause the DAG as soon as it has been parsed, and start a run of it."""
        self.trigger_ready(dag_id)
        # Not through call(): Airflow wants the key logical_date also where it is null.
        answer = requests.post(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns",
            headers={"Authorization": f"Bearer {self.token()}"},
            json={"logical_date": None, "dag_run_id": run_id, "conf": dict(conf)},
            timeout=60,
        )
        if not answer.ok:
            raise RuntimeError(f"run {run_id} was refused: {answer.text[:500]}")

    def trigger_ready(self, dag_id: str) -> None:
        """Wait until the DAG has been parsed, and unpause it.

        :raises RuntimeError: with the import errors, if it does not appear.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self.call("PATCH", f"dags/{dag_id}", is_paused=False)
                break
            except requests.HTTPError:
                if time.monotonic() > deadline:
                    errors = self.call("GET", "importErrors")["import_errors"]
                    raise RuntimeError(
                        f"DAG {dag_id} did not appear; import errors: {errors}"
                    ) from None
                time.sleep(1)

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        listed = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {each["task_id"]: each for each in listed}

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> list[str]:
        """Return the lines of a task's log, as the UI shows them."""
        task = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        content = self.call("GET", f"{task}/logs/{try_number}?full_content=true")["content"]
        return [each["event"] if isinstance(each, dict) else str(each) for each in content]

    def wait(self, dag_id: str, run_id: str, seconds: float = 600) -> str:
        """Wait until a run has ended; return its state.

        :raises TimeoutError: if it has not within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while (state := self.state(dag_id, run_id)) not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"run {run_id} of {dag_id} is still {state} after {seconds} s: "
                    f"{self.tasks(dag_id, run_id)}"
                )
            time.sleep(1)
        return state
