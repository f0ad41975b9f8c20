"""What Spark itself writes down of a stage's settings: nothing that is secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession
from specs import spec

from tidegate.contract.secrets import redaction_regex
from tidegate.driver.jvm import jvm_of
from tidegate.driver.session import open_session
from tidegate.errors import SpecError

SECRETS = {
    "spark.hadoop.fs.s3a.secret.key": "planted-01",
    "spark.hadoop.fs.azure.account.key.x.dfs.core.windows.net": "planted-02",
    "spark.executorEnv.DB_PWD": "planted-03",
    "spark.sql.catalog.other.header.Authorization": "planted-04",
    "spark.sql.catalog.other.uri": "https://user:planted-05@host/path",
    "spark.sql.catalog.other.jdbc.url": "jdbc:postgresql://host/db?user=x&password=planted-06",
    "spark.app.passphrase": "planted-07",
    "spark.app.connection-string": "planted-08",
    "spark.app.signed": "https://host/path?sv=1&sig=planted-09",
    "spark.app.theirs": "planted-10",
}
JOB = """
import sys
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from tidegate.contract import StageSpec
from tidegate.driver.session import open_session

spark = open_session(StageSpec.from_json(Path(sys.argv[1]).read_text()))
assert spark.conf.get("spark.sql.variable.substitute") == "false"
assert spark.sql("SELECT '${env:HOME}' AS v").head()[0] == "${env:HOME}"
print("theirs:", spark.conf.get("spark.app.theirs"))
spark.stop()
"""


def session_of(folder: Path, conf: dict[str, str]) -> str:
    """Start a session of a stage in a process of its own; return the event log it leaves."""
    logs = folder / "events"
    logs.mkdir()
    given = {
        **SECRETS,
        **conf,
        "spark.master": "local[1]",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{logs}",
        "spark.eventLog.compress": "false",
        "spark.ui.enabled": "false",
        "spark.sql.variable.substitute": "true",
    }
    (folder / "spec.json").write_text(spec(conf=given, folder=str(folder)).to_json())
    (folder / "session.py").write_text(JOB)
    command = [sys.executable, "session.py", "spec.json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("SPARK_CONF_DIR", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "theirs: planted-10" in done.stdout  # the session itself has its settings
    return "".join(file.read_text() for file in logs.rglob("*") if file.is_file())


def test_the_event_log_holds_no_secret(tmp_path: Path) -> None:
    log = session_of(tmp_path, {"spark.redaction.regex": "(?i)app[.]theirs"})
    assert "SparkListenerEnvironmentUpdate" in log
    for key, value in SECRETS.items():
        planted = value[value.index("planted") :]
        assert key in log
        assert planted not in log, key


HIDDEN = {**SECRETS, "spark.app.token": "x", "spark.hadoop.access.key": "x"}
SHOWN = {
    "spark.app.name": "nightly.clean",
    "spark.sql.shuffle.partitions": "200",
    "spark.master": "spark://host:7077",
    "spark.executor.memory": "4g",
    "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lake.warehouse": "s3a://bucket/lake",
}


@pytest.mark.parametrize("besides", ["", "(?i)secret|password|token|access[.]?key"])
def test_java_reads_the_rule_as_we_do(spark: SparkSession, besides: str) -> None:
    jvm = jvm_of(spark)
    rule = jvm.java.util.regex.Pattern.compile(redaction_regex(besides))
    for key, value in HIDDEN.items():
        if key != "spark.app.theirs":
            found = [rule.matcher(text).find() for text in (key, value)]
            assert any(found), key
    for key, value in SHOWN.items():
        assert not rule.matcher(key).find(), key
        assert not rule.matcher(value).find(), key


@pytest.mark.parametrize(
    ("key", "value"),
    [("spark.kubernetes.submitInDriver", "true"), ("spark.submit.deployMode", "cluster")],
)
def test_no_model_goes_with_a_drivers_container(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    """A pod's driver is in client mode to itself: the deploy mode alone does not tell."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    conf = spark.sparkContext.getConf().set(key, value)
    monkeypatch.setattr(SparkContext, "getConf", lambda _: conf)
    with pytest.raises(SpecError, match="MLFLOW_TRACKING_URI is not set"):
        open_session(spec(writes="delays", kind="train"))
