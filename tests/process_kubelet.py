"""A kubelet whose containers are processes of this machine: no images, no isolation, no volumes.

A pod runs what its image would run (``docker/spark-entrypoint``), with the arguments, variables,
configuration and secrets that it names. Its state is told to the API as a kubelet tells it.
"""

import base64
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import pyspark
from tests.kubernetes_api import KubernetesApi, Object

SPARK = Path(pyspark.__file__).parent
ENTRYPOINT = Path(__file__).resolve().parents[1] / "docker" / "spark-entrypoint"
_IMAGES = ("SPARK_LOCAL_DIRS", "SPARK_CONF_DIR", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
"""Variables that name folders and programs of an image."""
_GRACE_SECONDS = 10


class ProcessKubelet:
    """Runs whatever pods are pending; ends whatever pods are gone."""

    def __init__(self, api: KubernetesApi, folder: Path, environment: dict[str, str]) -> None:
        self._api = api
        self._folder = folder
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(_GRACE_SECONDS)
        for process in self._processes.values():
            _end(process, signal.SIGKILL)

    def living(self) -> list[str]:
        """Return the pods whose processes live."""
        return [name for name, process in self._processes.items() if process.poll() is None]

    def kill(self, name: str) -> None:
        """Kill -9 a container, as the kernel does."""
        _end(self._processes[name], signal.SIGKILL)

    def _work(self) -> None:
        while not self._is_over.wait(0.1):
            pods = {pod["metadata"]["name"]: pod for pod in self._api.all("pods")}
            for name, pod in pods.items():
                is_new = name not in self._processes and pod["status"]["phase"] == "Pending"
                if is_new and self._has_volumes(pod):
                    self._begin(name, pod)
            for name, process in self._processes.items():
                if name not in pods:
                    _end(process, signal.SIGTERM)
                elif pods[name]["status"]["phase"] == "Running" and process.poll() is not None:
                    self._tell_end(name, process.returncode)

    def _has_volumes(self, pod: Object) -> bool:
        """Tell whether what is to be mounted is there: Spark creates it after the pod."""
        named = [each.get("configMap", {}).get("name") for each in pod["spec"]["volumes"]]
        return all(("configmaps", name) in self._api.objects for name in filter(None, named))

    def _begin(self, name: str, pod: Object) -> None:
        home = self._folder / name
        home.mkdir(parents=True)
        container = pod["spec"]["containers"][0]
        variables = {**self._environment, **self._variables(container), "SPARK_CONF_DIR": str(home)}
        self._mount(pod, home)
        args = [arg.replace("/opt/spark/conf", str(home)) for arg in container["args"]]
        if args[0] == "driver":  # whose service has a name that nobody here resolves
            args[1:1] = ["--conf", "spark.driver.host=127.0.0.1"]
        with self._api.log_of(name).open("wb") as out:
            self._processes[name] = subprocess.Popen(
                [ENTRYPOINT, *args],
                cwd=home,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        statuses = [{"name": container["name"], "state": state, "ready": True}]
        ready = [{"type": "Ready", "status": "True"}]
        self._api.status(
            name,
            phase="Running",
            podIP="127.0.0.1",
            containerStatuses=statuses,
            conditions=ready,
        )

    def _variables(self, container: Object) -> dict[str, str]:
        found = {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(SPARK)}
        for each in container.get("env", ()):
            source = each.get("valueFrom", {})
            if "secretKeyRef" in source:
                found[each["name"]] = self._secret(source["secretKeyRef"])
            elif "fieldRef" in source:
                found[each["name"]] = "127.0.0.1"
            elif each["name"] not in _IMAGES:
                found[each["name"]] = each.get("value") or ""
        return found

    def _secret(self, named: Object) -> str:
        kept = self._api.objects["secrets", named["name"]]
        return base64.b64decode(kept["data"][named["key"]]).decode()

    def _mount(self, pod: Object, home: Path) -> None:
        for each in pod["spec"]["volumes"]:
            if name := each.get("configMap", {}).get("name"):
                for file, text in self._api.objects["configmaps", name]["data"].items():
                    (home / file).write_text(text)

    def _tell_end(self, name: str, code: int) -> None:
        phase = "Failed" if code else "Succeeded"
        code = 128 - code if code < 0 else code
        end = {"exitCode": code, "reason": "Error" if code else "Completed"}
        statuses = [{"name": "spark", "state": {"terminated": end}}]
        self._api.status(name, phase=phase, containerStatuses=statuses)


def _end(process: subprocess.Popen[Any], number: int) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
        process.wait(_GRACE_SECONDS)
