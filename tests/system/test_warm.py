"""A driver that stays for the next stage: nothing of the one before is seen, and it leaves."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.stages import until
from tests.system.test_standalone import Cluster
from tests.system.warm_stages import CLOSED, House, forked, house, read, worker

from tidegate.errors import GateClosed, JobError
from tidegate.store import REPORT, AttemptFiles

pytestmark = pytest.mark.system

PLAIN = """
def run(rows):
    return rows
"""
DIRTY = """
import importlib, logging, os, random, sys, warnings
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import functions as F

import leftover

def run(spark, rows, params):
    import mlflow

    print("dirty was here")
    context = spark.sparkContext
    leftover.value = "dirty"
    sys.path.insert(0, params["folder"])
    sys.modules["job_of_another"] = leftover
    os.environ["DIRTY"] = "1"
    os.chdir("/")
    os.umask(0o111)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("py4j").setLevel(logging.DEBUG)
    warnings.simplefilter("error")
    random.seed(1)
    len_ = len
    __builtins__["dirty"] = len_
    mlflow.set_tracking_uri("sqlite:////nowhere/mlflow.db")
    mlflow.set_experiment_tag = None
    rows.createOrReplaceTempView("dirty_view")
    rows.createOrReplaceGlobalTempView("dirty_global")
    spark.conf.set("spark.sql.shuffle.partitions", "77")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    spark.udf.register("dirty_udf", lambda x: x)
    spark.sql("DECLARE VARIABLE dirty_variable INT DEFAULT 5")
    spark.sql("USE lake.t")
    spark.range(5).cache().count()
    context.parallelize([1, 2]).persist(StorageLevel.MEMORY_ONLY).count()
    context.broadcast(list(range(1000)))
    context.setJobDescription("dirty description")
    context.setLocalProperty("spark.dirty", "1")
    context.setJobGroup("dirty_group", "dirty")
    context.setCheckpointDir(params["folder"] + "/checkpoints")
    hadoop = spark._jvm.org.apache.hadoop
    conf = hadoop.conf.Configuration(context._jsc.hadoopConfiguration())
    conf.set("fs.dirty.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
    hadoop.fs.FileSystem.get(spark._jvm.java.net.URI("dirty:///"), conf)

    @F.udf("string")
    def in_worker(x):
        import os, sys
        os.environ["DIRTY_WORKER"] = "1"
        sys.modules["dirty_in_worker"] = os
        return str(os.getpid())

    spark.range(1).select(in_worker("id")).collect()
    pid = os.fork()
    if pid == 0:
        os.execvp("sleep", ["sleep", "500"])
    Path(params["probe"]).write_text(str(pid))
    return rows
"""
PROBE = """
import builtins, json, logging, os, random, sys, warnings
from pathlib import Path

from pyspark.sql import functions as F

def run(spark, rows, params):
    import mlflow

    print("probe was here")
    context = spark.sparkContext

    @F.udf("string")
    def in_worker(x):
        import os, sys
        return str([os.environ.get("DIRTY_WORKER"), "dirty_in_worker" in sys.modules])

    names = context._jsc.sc().getLocalProperties().stringPropertyNames().toString()
    found = {
        "views": [each.name for each in spark.catalog.listTables("default")],
        "global views": [each.name for each in spark.catalog.listTables("global_temp")],
        "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
        "session zone": spark.conf.get("spark.sql.session.timeZone"),
        "function": spark.catalog.functionExists("dirty_udf"),
        "catalog": spark.catalog.currentCatalog(),
        "kept": len(context._jsc.getPersistentRDDs()),
        "cached": spark.range(5).storageLevel.useMemory,
        "description": context.getLocalProperty("spark.job.description"),
        "group": context.getLocalProperty("spark.jobGroup.id"),
        "property": context.getLocalProperty("spark.dirty"),
        "checkpoints": context.getCheckpointDir(),
        "modules": [each for each in ("job_of_another", "leftover") if each in sys.modules],
        "path": params["folder"] in sys.path,
        "folder": os.getcwd(),
        "umask": os.umask(0o022),
        "variable": os.environ.get("DIRTY"),
        "context": os.environ.get("AIRFLOW_CTX_TASK_ID"),
        "log level": logging.getLogger("py4j").level,
        "root level": logging.getLogger().level,
        "warnings": [each for each in warnings.filters if each[0] == "error" and not each[1]],
        "built in": hasattr(builtins, "dirty"),
        "mlflow": mlflow.get_tracking_uri(),
        "patch": mlflow.set_experiment_tag is None,
        "worker": spark.range(1).select(in_worker("id")).collect()[0][0],
        "java session": spark._jvm.SparkSession.active().conf().get("spark.sql.shuffle.partitions"),
    }
    hadoop = spark._jvm.org.apache.hadoop
    conf = context._jsc.hadoopConfiguration()
    try:
        hadoop.fs.FileSystem.get(spark._jvm.java.net.URI("dirty:///"), conf)
        found["file system"] = True
    except Exception:
        found["file system"] = False
    own = Path(context._temp_dir)
    others = [each for each in own.parent.rglob("pyspark-*/*") if own not in each.parents]
    found["scratch"] = len(others)
    try:
        spark.sql("SELECT dirty_variable").collect()
        found["sql variable"] = True
    except Exception:
        found["sql variable"] = False
    Path(params["probe"]).write_text(json.dumps(found))
    return rows
"""
CLEAN = {
    "views": ["rows"],  # its own input
    "global views": ["rows"],  # Spark lists both kinds
    "partitions": "2",
    "session zone": "UTC",
    "function": False,
    "catalog": "spark_catalog",
    "kept": 0,
    "cached": False,
    "description": None,
    "group": None,
    "property": None,
    "checkpoints": None,
    "modules": [],
    "path": False,
    "variable": None,
    "context": "probe",
    "built in": False,
    "patch": False,
    "worker": "[None, False]",
    "java session": "2",
    "sql variable": False,
    "file system": False,
    "scratch": 0,
    "warnings": [],
}
SAME_AS_COLD = ("folder", "umask", "log level", "root level", "mlflow")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # A socket's path is short, and pytest's folders are not.
    import tempfile

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp") as root:
        yield from house(Path(root), patch)


@pytest.fixture(scope="module")
def probed(home: House) -> dict[str, Any]:
    """What a stage finds behind one that left everything lying about, and what one finds cold."""
    (home.root / "leftover.py").write_text("value = 'clean'\n")
    os.environ["PYTHONPATH"] += f"{os.pathsep}{home.root}"
    files = {name: home.root / f"{name}.json" for name in ("cold", "dirty", "warm")}
    given = {"folder": str(home.root / "elsewhere")}
    os.environ["AIRFLOW_CTX_TASK_ID"] = "first"
    home.stage(home.spec(PROBE, **given, probe=str(files["cold"])))
    first = home.start
    home.rests()
    home.stage(home.spec(DIRTY, **given, probe=str(files["dirty"])))
    dirty = home.start
    os.environ["AIRFLOW_CTX_TASK_ID"] = "probe"
    spec = home.spec(PROBE, **given, probe=str(files["warm"]))
    report = home.stage(spec)
    return {
        "cold": read(files["cold"]),
        "warm": read(files["warm"]),
        "starts": [first, dirty, home.start],
        "log": home.log(spec),
        "report": report,
        "left": int(files["dirty"].read_text()),
    }


def test_the_second_stage_finds_a_driver_that_waits(probed: dict[str, Any]) -> None:
    cold, second, third = probed["starts"]
    assert cold == "[run] cold driver, which then waits for 120 s"
    assert second.startswith("[run] warm driver (2nd stage, ")
    assert third.startswith("[run] warm driver (3rd stage, ")


@pytest.mark.parametrize("what", CLEAN)
def test_nothing_of_the_stage_before_is_seen(probed: dict[str, Any], what: str) -> None:
    assert probed["warm"][what] == CLEAN[what]


@pytest.mark.parametrize("what", SAME_AS_COLD)
def test_a_stage_finds_what_a_cold_one_finds(probed: dict[str, Any], what: str) -> None:
    assert probed["warm"][what] == probed["cold"][what]


def test_a_log_is_its_own_stages_alone(probed: dict[str, Any]) -> None:
    assert probed["log"].count("probe was here") == 1
    assert "dirty was here" not in probed["log"]


def test_a_report_counts_its_own_stages_alone(probed: dict[str, Any]) -> None:
    # Three rows, twice, and a worker's: the stage before had several more, and of 77 partitions.
    assert 0 < probed["report"].spark["tasks"] < 15


def test_what_a_job_has_started_ends_with_its_attempt(probed: dict[str, Any]) -> None:
    until("the end of the job's own process", lambda: not Path(f"/proc/{probed['left']}").exists())


def test_another_start_finds_no_driver(home: House, probed: dict[str, Any]) -> None:
    home.rests()
    home.stage(home.spec(PLAIN), conf={"spark.sql.shuffle.partitions": "3"})
    assert home.told().endswith("refused: another start\n")
    assert home.start == "[run] cold driver: 1 others are at work or waiting"


def test_a_failed_attempts_driver_serves_no_other(home: House, probed: dict[str, Any]) -> None:
    home.rests()
    with pytest.raises(JobError):
        home.stage(home.spec("def run(rows):\n    raise KeyError('no')\n"))
    assert "warm driver" in home.start
    home.gone()


def test_nor_does_that_of_an_attempt_whose_gate_has_closed(home: House) -> None:
    with pytest.raises(GateClosed):
        home.stage(home.spec(PLAIN, CLOSED))
    home.gone()


def test_a_task_that_is_killed_takes_its_driver_along(home: House) -> None:
    home.stage(home.spec(PLAIN))
    home.rests()
    mark = home.root / "working"
    job = "def run(rows, params):\n    import time\n    open(params['mark'], 'w')\n"
    job += "    time.sleep(500)\n"
    task = forked(lambda: home.stage(home.spec(job, mark=str(mark))))
    until("the job", mark.exists)
    os.kill(task.pid, signal.SIGKILL)
    task.join()
    home.gone()


def test_a_driver_leaves_with_the_worker_of_its_tasks(home: House) -> None:
    service = forked(lambda: worker(lambda: home.stage(home.spec(PLAIN))))
    until("a stage", lambda: home.door().exists() and "served 1" in home.told())
    os.kill(service.pid, signal.SIGKILL)
    service.join()
    home.gone()
    assert "a process has ended that its tasks came from" in home.told()


def test_a_task_that_outlives_its_parents_is_served_to_its_end(home: House) -> None:
    mark = home.root / "orphan"
    job = "def run(rows, params):\n    import time\n    open(params['mark'], 'w')\n"
    job += "    time.sleep(4)\n    return rows\n"
    spec = home.spec(job, mark=str(mark))
    service = forked(lambda: worker(lambda: home.stage(spec)))
    until("the job", mark.exists)
    os.kill(service.pid, signal.SIGKILL)
    service.join()
    until("the report", AttemptFiles(spec.folder).path(REPORT).exists)
    home.gone()
    assert "served 1" in home.told()


LEAK = """
def run(spark, rows):
    context = spark.sparkContext
    big = context._gateway.new_array(spark._jvm.int, 75 * 2**20)
    spark._jvm.java.lang.System.getProperties().put("leak", big)
    return rows
"""


def test_a_driver_that_grows_is_replaced(home: House) -> None:
    home.stage(home.spec(PLAIN))
    home.rests()
    home.stage(home.spec(LEAK))
    home.gone()
    assert "over: it has grown by " in home.told()


def test_a_driver_ends_by_itself(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TIDEGATE__KEEP_WARM", "3")
    home.stage(home.spec(PLAIN))
    home.gone()
    assert "nothing came of idle" in home.told()


WORKER = """
from pyspark.sql import functions as F

def run(spark, rows, params):
    @F.udf("string")
    def seen(x):
        import sys
        before = "left_in_worker" in sys.modules
        sys.modules["left_in_worker"] = sys
        return str(before)

    found = spark.range(1).select(seen("id")).collect()[0][0]
    open(params["probe"], "w").write(found)
    return rows
"""


@pytest.mark.slow
def test_on_a_cluster_the_workers_on_executors_are_new_as_well(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / "cluster").mkdir()
    cluster = Cluster(home.root / "cluster", {**os.environ, "PYSPARK_PYTHON": sys.executable})
    try:
        connection = {"conn_type": "spark", "host": cluster.master}
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
        probe = home.root / "on_executor"
        for start in ("cold driver, which", "warm driver (2nd"):
            home.stage(home.spec(WORKER, probe=str(probe)), executor_memory="512m")
            assert start in home.start
            assert probe.read_text() == "False"
            home.rests()
        assert cluster.applications("active") == {"tidegate": "RUNNING"}
        for process in home.living():
            if "tidegate.submit.keeper" in " ".join(process.cmdline()):
                process.kill()
        until("no application", lambda: not cluster.applications("active"))
    finally:
        cluster.stop()
    until("the end of the driver", lambda: not home.living())
