"""TPC-H on real Airflow: three days filled in, a report behind them, and DuckDB's answers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.server import PROJECT, AirflowServer
from demo.tpch.compare import expected
from demo.tpch.project import prepare, settings
from demo.tpch.run import DAILY, DAYS, REPORT, backfill, differences, follow, reported, runs
from tests.system.lake import Table
from tests.system.stages import environment

pytestmark = pytest.mark.system

SEGMENTS = 2


whole = pytest.mark.slow
"""Of twenty stages on a server of their own; ``make test`` has a night of five in that way."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tpch") / "project"
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[AirflowServer]:
    ours = environment(root, "local[1]")
    mine = {name: ours[name] for name in ("AIRFLOW_CONN_SPARK_DEFAULT", "PATH", "PYTHONPATH")}
    given = {**mine, **settings(root)}
    with AirflowServer(root / "airflow", root / "dags", settings=given) as started:
        backfill(started)
        assert follow(started)
        yield started


@whole
def test_three_days_and_every_copy_of_the_mapped_stage_succeed(server: AirflowServer) -> None:
    assert [run["run_type"] for run in runs(server, DAILY)] == ["backfill"] * DAYS
    for run in runs(server, DAILY):
        path = f"dags/{DAILY}/dagRuns/{run['dag_run_id']}/taskInstances"
        tasks = server.call("GET", path)["task_instances"]
        seen = sorted((each["task_id"], each["map_index"], each["state"]) for each in tasks)
        assert seen == [
            ("priced_orders", -1, "success"),
            ("segments", 0, "success"),
            ("segments", 1, "success"),
            ("sums.nation_revenue", -1, "success"),
            ("sums.priorities", -1, "success"),
        ]


@whole
def test_the_report_was_started_by_each_published_day(server: AirflowServer, root: Path) -> None:
    assert {run["run_type"] for run in runs(server, REPORT)} == {"asset_triggered"}
    assert reported(server) == DAYS
    segments = Table(root / "lake", "lake.tpch.segments")
    verdicts = [each for each in segments.history() if "tidegate.verdict" in each]
    assert len(verdicts) == DAYS * SEGMENTS


@whole
def test_the_lake_says_what_duckdb_says(server: AirflowServer, root: Path) -> None:
    assert min(len(rows) for rows in expected(root / "landing").values()) > 5
    path = os.pathsep.join((str(PROJECT), os.environ.get("PYTHONPATH", "")))
    assert differences(root, {**os.environ, **settings(root), "PYTHONPATH": path}) == 0


@pytest.mark.parametrize("file", sorted(Path(PROJECT, "demo", "tpch", "dags").glob("*.py")))
def test_a_dag_file_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 40
