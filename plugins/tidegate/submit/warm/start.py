"""How a driver is started, and whether two starts are the same in every way that matters."""

import hmac
import json
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.contract.feeds import SECURED
from tidegate.submit.cluster import Cluster

_OF_THE_TASK = ("AIRFLOW_CTX_", "_AIRFLOW_", "__AIRFLOW_")
"""How the variables begin that Airflow sets anew for each attempt."""
_FOR_THE_JOB = "AIRFLOW_CTX_"
"""Of these, what a job may look at; the others are Airflow's own."""
_MASTER = re.compile(r"local(\[[^\]]+\])?|spark://.+")
_FILES = {
    "jars": ",",
    "py_files": ",",
    "files": ",",
    "archives": ",",
    "driver_class_path": ":",
    "spark.jars": ",",
    "spark.files": ",",
    "spark.archives": ",",
    "spark.submit.pyFiles": ",",
    "spark.driver.extraClassPath": ":",
    "spark.executor.extraClassPath": ":",
}
"""The arguments and settings that name files, and what stands between two names."""
_ELSEWHERE = ("keytab", "principal", "proxy_user", "properties_file", "use_krb5ccache")
"""Arguments that hang on more than is looked at here."""
_SPACES = [f"/proc/self/ns/{space}" for space in ("mnt", "pid", "net", "user", "uts")]
"""Which container this is."""
_CONF_FOLDERS = ("SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HIVE_CONF_DIR")
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Everything that decides what a driver is once it stands.

    :param connection: Airflow's, whole, with its name.
    :param spark: the operator's Spark arguments that the provider gets.
    :param secrets: the secret conf, which travels in the spec.
    :param environment: of spark-submit.
    :param project: the folder that spark-submit runs in.
    """

    cluster: Cluster
    connection: str
    spark: Mapping[str, Any]
    secrets: Mapping[str, str]
    environment: Mapping[str, str]
    project: Path

    @property
    def lasting(self) -> dict[str, str]:
        """The environment without what Airflow sets for one attempt."""
        return {
            name: value
            for name, value in self.environment.items()
            if not name.startswith(_OF_THE_TASK)
        }

    @property
    def passing(self) -> dict[str, str]:
        """What Airflow sets for one attempt, as far as a job may look at it."""
        return {
            name: value for name, value in self.environment.items() if name.startswith(_FOR_THE_JOB)
        }

    def unclear(self) -> str:
        """Return why nobody can tell whether another start would be equal, or nothing."""
        master = self.cluster.master
        is_kerberos = bool(self.cluster.keytab or self.cluster.principal)
        given = [name for name in _ELSEWHERE if self.spark.get(name)]
        doubts = {
            "only on Linux": sys.platform != "linux",
            f"not with master {master.partition(':')[0]}": not _MASTER.fullmatch(master),
            "its Python is another than Airflow's": self._python != sys.executable,
            f"not with {', '.join(given)}": bool(given),
            "not with a connection that has a principal": is_kerberos,
            "not with jars and files elsewhere": not all(map(os.path.isfile, self._files())),
        }
        for why, holds in doubts.items():
            if holds:
                return why
        return ""

    @property
    def _python(self) -> str | None:
        return self.environment.get("PYSPARK_DRIVER_PYTHON")

    def seal(self, salt: str) -> str:
        """Return a digest that equal starts have in common, and that tells nothing of them."""
        parts = json.dumps(self._parts(), sort_keys=True, default=str).encode()
        return hmac.new(salt.encode(), parts, sha256).hexdigest()

    def _parts(self) -> list[Any]:
        # An option of a read is none of Spark's settings: the driver's start knows nothing of it.
        secrets = {k: v for k, v in self.secrets.items() if not k.startswith(SECURED)}
        return [
            self.connection,
            dict(self.spark),
            secrets,
            self.lasting,
            _state(self.project)[:3],
            list(map(_state, map(Path, self._files()))),
            list(map(_state, self._conf_files())),
            list(map(_state, self._software())),
            [sys.version, os.getuid(), os.getgid(), sorted(os.getgroups()), _umask()],
            list(map(os.readlink, _SPACES)),
        ]

    def _files(self) -> Iterator[str]:
        """Yield every file that the arguments or Spark's conf name; remote ones as they stand."""
        for name, value in self._settings():
            if name in _FILES:
                yield from filter(None, str(value or "").split(_FILES[name]))

    def _settings(self) -> Iterator[tuple[str, Any]]:
        yield from self.spark.items()
        yield from (self.spark.get("conf") or {}).items()
        for file in self._conf_files():
            if file.name == "spark-defaults.conf":
                yield from _properties(file.read_text(encoding="utf-8", errors="replace"))

    def _conf_files(self) -> Iterator[Path]:
        folders = {self._spark / "conf"}
        folders |= set(map(Path, filter(None, map(self.environment.get, _CONF_FOLDERS))))
        for folder in sorted(folders):
            yield from sorted(folder.glob("*"))

    @property
    def _spark(self) -> Path:
        return Path(self.environment.get("SPARK_HOME") or _packages() / "pyspark")

    def _software(self) -> list[Path]:
        """Return what changes with another Python, package, Spark, Java or tidegate."""
        path = self.environment.get("PATH")
        platform = Path(sysconfig.get_paths()["platlib"])
        java = self.environment.get("JAVA_HOME") or shutil.which("java", path=path)
        submit = shutil.which(self.cluster.binary, path=path)
        programs = [Path(sys.executable), Path(str(java)), Path(str(submit))]
        folders = [_packages(), platform, self._spark / "jars"]
        return [*programs, *folders, *sorted(_PACKAGE.rglob("*.py"))]


def _packages() -> Path:
    return Path(sysconfig.get_paths()["purelib"])


def _state(path: Path) -> list[Any]:
    """Return what changes with a file or folder: which it is, its size, and when it changed."""
    try:
        found = path.stat()
    except OSError:  # that it is not there is a state as well
        return [str(path)]
    return [str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]


def _umask() -> str:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("Umask:"):
            return line
    return ""


def _properties(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, *value = re.split(r"[\s=:]+", line.strip(), maxsplit=1)
        if value and not name.startswith("#"):
            yield name, value[0]
