"""The start script of docker-compose.yml, against a real master: no secret, no entry."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psutil
import pytest
from tests.system.stages import REPOSITORY, SECONDS, environment
from tests.system.test_standalone import Cluster

pytestmark = pytest.mark.system

SCRIPT = str(REPOSITORY / "docker" / "with-spark-secret")
SECRET = "5f1d0a97c3"
REFUSED = "Failed to connect to master"
JOB = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("rows", spark.range(1000).repartition(2).count())
"""


class Guarded:
    """A cluster whose members share a secret, and the folders of its members' conf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        project = folder / "project"
        project.mkdir()
        (project / "spark-defaults.conf").write_text("spark.ui.enabled false\n")
        self.environment = environment(folder, "local[1]") | {"PROJECT_CONF": str(project)}
        conf = self.written(SECRET, "cluster")
        self.cluster = Cluster(folder, {**self.environment, "SPARK_CONF_DIR": str(conf)})

    def written(self, secret: str, name: str) -> Path:
        """Return a conf folder as the script leaves it."""
        conf = self.folder / f"conf-{name}"
        given = {**self.environment, "SPARK_AUTH_SECRET": secret, "SPARK_CONF_DIR": str(conf)}
        told = subprocess.run(
            [SCRIPT, "env"], env=given, capture_output=True, text=True, check=True
        ).stdout
        assert secret not in told  # what runs inside is not told by its environment
        return conf

    def submit(self, conf: Path, until: str) -> str:
        """Run a job to its end, or until Spark has said something; return what was said."""
        job = self.folder / "job.py"
        job.write_text(JOB)
        submit = str(Path(sys.executable).with_name("spark-submit"))
        process = subprocess.Popen(
            [submit, "--master", self.cluster.master, "--executor-memory", "512m", str(job)],
            env={**self.environment, "SPARK_CONF_DIR": str(conf)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        told = ""
        giving_up = Timer(SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        giving_up.start()
        for line in process.stdout:
            told += line
            if until in line:
                break
        giving_up.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return told + process.communicate()[0]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    yield made
    made.cluster.stop()


def test_who_has_the_secret_runs(guarded: Guarded) -> None:
    conf = guarded.written(SECRET, "driver")
    assert conf.stat().st_mode & 0o077 == 0
    assert (conf / "spark-defaults.conf").stat().st_mode & 0o077 == 0
    assert "rows 1000" in guarded.submit(conf, "rows 1000")
    commands = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert [each for each in commands if SECRET in each] == []
    logs = [each for each in guarded.folder.rglob("*.log") if SECRET in each.read_text()]
    assert logs == []


@pytest.mark.parametrize("given", ["another secret", "none"])
def test_who_has_not_is_refused(guarded: Guarded, given: str) -> None:
    conf = guarded.folder / "project"
    if given == "another secret":
        conf = guarded.written("0" * 10, "stranger")
    said = guarded.submit(conf, REFUSED)
    assert "rows" not in said
    assert REFUSED in said
    assert guarded.cluster.applications("active") == {}
