"""A real Spark Standalone master and worker, for tests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import requests
from demo.server import free_port
from tests.system.stages import until

_EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"


class Cluster:
    """A master and workers of one core each, on free ports of the loopback interface."""

    def __init__(self, folder: Path, environment: dict[str, str], workers: int = 1) -> None:
        self.folder = folder
        recovery = f"-Dspark.deploy.recoveryDirectory={folder}/recovery"
        self._environment = environment | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
            "SPARK_DAEMON_JAVA_OPTS": f"-Dspark.deploy.recoveryMode=FILESYSTEM {recovery}",
        }
        port, ui = str(free_port()), str(free_port())
        self.master, self._ui = f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{ui}/json/"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._at = ("--host", "127.0.0.1", "--port", port, "--webui-port", ui)
        self._start("master.Master", *self._at)
        until("the master", lambda: self.state().get("status") == "ALIVE")
        for number in range(workers):
            self._start(
                "worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
                "--webui-port", str(free_port()),
                "--work-dir", str(folder / "work" / str(number)), self.master,
            )  # fmt: skip
        until("the workers", lambda: self.state().get("aliveworkers") == workers)

    def restart_master(self) -> None:
        """Kill the master with -9, and start another one, which knows what that one knew."""
        self._processes[0].kill()
        self._processes[0].wait()
        self._start("master.Master", *self._at)
        self._processes[0] = self._processes.pop()
        until("the master", lambda: self.state().get("status") == "ALIVE")

    def lose_worker(self) -> None:
        """Kill the last worker with -9, and all that it has started, as when its node is lost."""
        lost = self._processes.pop()
        for process in psutil.Process(lost.pid).children(recursive=True):
            process.kill()
        lost.kill()
        lost.wait()

    def _start(self, role: str, *words: str) -> None:
        command = [
            str(Path(sys.executable).with_name("spark-class")),
            f"org.apache.spark.deploy.{role}",
            *words,
        ]
        with (self.folder / f"{role}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=self._environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def state(self) -> dict[str, Any]:
        """Return what the master says of itself; nothing while it does not answer."""
        for process in self._processes:
            assert process.poll() is None, [
                each.read_text()[-2000:] for each in self.folder.glob("*.log")
            ]
        try:
            return dict(requests.get(self._ui, timeout=10).json())
        except requests.RequestException:
            return {}

    def applications(self, kind: str) -> dict[str, str]:
        """Return the ``active`` or ``completed`` applications with their states."""
        return {each["name"]: each["state"] for each in self.state()[f"{kind}apps"]}

    def executor(self) -> psutil.Process | None:
        """Return an executor that the worker has started, if one lives."""
        for process in psutil.Process(self._processes[-1].pid).children(recursive=True):
            try:
                is_executor = _EXECUTOR in process.cmdline()
            except psutil.Error:  # it is gone
                continue
            if is_executor:
                return process
        return None

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)


def to(cluster: Cluster) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": cluster.master})
    }
