"""What this machine must have to run a driver, and the environment it gets."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.errors import SpecError


def driver_environment() -> dict[str, str]:
    """Return this environment, with this interpreter as the driver's unless told otherwise."""
    found = dict(os.environ)
    found["PATH"] = os.pathsep.join((found.get("PATH", ""), str(Path(sys.executable).parent)))
    found.setdefault("PYSPARK_DRIVER_PYTHON", found.get("PYSPARK_PYTHON", sys.executable))
    found.setdefault("GX_ANALYTICS_ENABLED", "false")
    return found


def check_machine(environment: Mapping[str, str], spark_binary: str) -> None:
    """Refuse a machine without Java or spark-submit.

    :raises SpecError: naming what is missing.
    """
    path = environment["PATH"]
    java = Path("java")
    if home := environment.get("JAVA_HOME"):
        java = Path(home, "bin", "java")
    if shutil.which(str(java), path=path) is None:
        raise SpecError(
            f"no Java: {java} is not there. Spark 4.1 needs Java 17 or 21 on this worker; "
            "install it or set JAVA_HOME"
        )
    if shutil.which(spark_binary, path=path) is None:
        raise SpecError(
            f"no {spark_binary} on this worker's PATH: pip install pyspark (the version in "
            "constraints.txt), or put your Spark's bin folder on the PATH"
        )


def hadoop_folder(environment: Mapping[str, str]) -> str:
    """Return where Hadoop's configuration lies; empty if no variable says so."""
    return environment.get("HADOOP_CONF_DIR") or environment.get("YARN_CONF_DIR") or ""


def check_hadoop(environment: Mapping[str, str]) -> None:
    """Refuse a machine that does not know its Hadoop cluster.

    :raises SpecError: if no variable names the folder of Hadoop's configuration.
    """
    folder = hadoop_folder(environment)
    if not Path(folder or "none").is_dir():
        raise SpecError(
            "master 'yarn' needs Hadoop's configuration, and HADOOP_CONF_DIR is "
            f"{folder or None!r}: set "
            "it, on this worker or in env_vars, to the folder with core-site.xml and yarn-site.xml"
        )
