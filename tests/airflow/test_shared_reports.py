"""Reports at a place that all machines reach, by Airflow's object storage: its own ``local://``.

The same by HDFS: tests/system/test_yarn.py.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from stages import FakeProject, batch, context

from tidegate.errors import SpecError
from tidegate.objects import Place
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store
from tidegate.store import LONGEST, REPORT
from tidegate.ui.page import app

SECRET = "t0p-secret"


@pytest.fixture
def shared(project: FakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shared"
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", f"local://{folder}")
    shutil.rmtree(reports_store().root, ignore_errors=True)  # of the test before, in AIRFLOW_HOME
    return folder


def test_what_an_attempt_leaves_is_there_for_all_machines(
    project: FakeProject, shared: Path
) -> None:
    task = batch(project, conf={"spark.hadoop.fs.s3a.secret.key": SECRET})
    task.execute(context(task))
    folder = shared / "d" / "r1" / "clean" / "map=-1" / "try=1"
    names = {file.name for file in folder.iterdir()}
    assert names == {"spec.json", "report.json", "report.html", "spark.log", "told.jsonl"}
    assert SECRET not in "".join(file.read_text() for file in folder.iterdir())


def test_a_server_elsewhere_shows_the_page(
    project: FakeProject, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = batch(project)
    at = context(task)
    task.execute(at)
    store = reports_store()
    shutil.rmtree(store.files(this_attempt(at)).folder)
    (route,) = [each for each in app.routes if isinstance(each, APIRoute)]
    guards = [*app.router.dependencies, *route.dependencies]
    allowed = {each.dependency: lambda: None for each in guards}
    monkeypatch.setattr(app, "dependency_overrides", allowed)
    with TestClient(app) as client:
        assert client.get("/reports/d/r1/clean/-1/1").status_code == 200
        assert client.get("/reports/d/r1/clean/-1/2").status_code == 404


def test_a_place_that_cannot_be_written_fails_no_stage(
    project: FakeProject, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared.write_text("no folder")
    task = batch(project)
    assert task.execute(context(task))["snapshot_id"] == 7
    assert "the page cannot be shown" in caplog.text


def test_a_file_is_there_whole_or_not_at_all(shared: Path) -> None:
    files = Place.of(f"local://{shared}").files("a/b")
    for text in ("first", "second"):
        files.write(REPORT, text)
    assert files.read(REPORT) == "second"
    assert [file.name for file in (shared / "a" / "b").iterdir()] == [REPORT]
    (shared / "a" / "b" / REPORT).write_bytes(b"x" * (LONGEST + 1))
    with pytest.raises(ValueError, match="longer than"):
        files.read(REPORT)


def test_hadoop_gets_the_address_without_who_reads_there() -> None:
    place = Place.of("s3://lake_writer@bucket/tidegate/")
    assert (place.conn_id, place.files("d/r1").uri) == ("lake_writer", "s3a://bucket/tidegate/d/r1")


@pytest.mark.parametrize("uri", ["s3a://key:secret@bucket/x", "hdfs://host/x?password=abc"])
def test_credentials_in_the_path_are_refused(uri: str) -> None:
    with pytest.raises(SpecError, match="holds credentials") as refused:
        Place.of(uri)
    assert "secret" not in str(refused.value)


def test_a_scheme_that_airflow_does_not_have_is_told() -> None:
    with pytest.raises(SpecError, match="install the provider that brings it"):
        Place.of("nowhere://bucket/x").files("a").read(REPORT)


def test_hdfs_without_a_connection_says_which() -> None:
    with pytest.raises(SpecError, match="name an Airflow connection"):
        Place.of("hdfs://namenode:8020/x").files("a").read(REPORT)


def test_hdfs_is_reached_by_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"conn_type": "webhdfs", "host": "nn", "port": 9871, "schema": "https", "login": "me"}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(said))
    from tidegate.hdfs import get_fs

    assert get_fs("lake").url == "https://nn:9871/webhdfs/v1"
    assert replace(Place.of("hdfs://lake@nn:8020/x"), conn_id="").where == "nn:8020/x"
