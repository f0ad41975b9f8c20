"""Fixtures for operators against a fake ``spark-submit``."""

import json
import os
import sys
from pathlib import Path

import pytest
from fake_yarn import CLIENT, SUBMITTED, FakeYarn
from stages import FakeProject


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    made = FakeProject(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"])))
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", str(tmp_path / "reports"))
    monkeypatch.setenv(
        "AIRFLOW_CONN_SPARK_DEFAULT", json.dumps({"conn_type": "spark", "host": "local[2]"})
    )
    return made


@pytest.fixture
def yarn(project: FakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeYarn:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", f"file://{tmp_path}/reports")
    extra = json.dumps({"deploy-mode": "cluster"})
    said = {"conn_type": "spark", "host": "yarn", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(said))
    monkeypatch.setattr("tidegate.submit.yarn.submission._POLL_SECONDS", 0.1)
    client = project.root / "bin" / "spark-class"
    client.write_text(CLIENT.format(python=sys.executable, state=str(tmp_path / "yarn.json")))
    client.chmod(0o755)
    project.submit_will(outcome="published", prints=[SUBMITTED])
    return FakeYarn(tmp_path)
