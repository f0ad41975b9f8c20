"""The tutorial, done to the letter: its files, its stage on the flights of the day, its break."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from demo.land import by_day, write
from stages import context
from tests.documents import ROOT, blocks
from tests.system.stages import Project

from tidegate.errors import GateClosed

pytestmark = pytest.mark.system

TUTORIAL = ROOT / "docs" / "tutorial.md"
DAY = "2013-02-08"
HOURS = 19


def saved_as() -> list[tuple[str, str]]:
    """Return the path and the text of every file that the tutorial has its reader save."""
    text = TUTORIAL.read_text(encoding="utf-8")
    return re.findall(r"[Ss]ave as `([^`]+)`:\n\n```\w+\n(.*?)^```$", text, re.M | re.S)


def said(first_word: str) -> list[str]:
    """Return the lines of the block that begins with a word: what one will see."""
    (block,) = [block for block in blocks(TUTORIAL) if block.text.startswith(first_word)]
    return block.text.splitlines()


def assert_seen(promised: list[str], lines: list[str]) -> None:
    """Assert that each promised line was logged, whatever stood where it says ``…``."""
    for line in promised:
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert [each for each in lines if re.fullmatch(pattern, each)], (line, lines)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path, "local[2]")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", str(tmp_path / "reports"))
    for name, text in saved_as():
        made.write(name, text)
    write(tmp_path / "landing" / "flights" / f"{DAY}.csv", by_day("flights")[DAY])
    return made


def run(project: Project, try_number: int) -> dict[str, Any]:
    """Run the tutorial's task as Airflow does: parse, render, execute."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(project.root / "dags"))
    assert bag.import_errors == {}
    task: Any = bag.dags["busiest_hours"].get_task("busiest_hours")
    given = context(task, try_number, date=DAY)
    task.render_template_fields(given)
    result: dict[str, Any] = task.execute(given)
    return result


def test_the_tutorial_publishes_and_closes_its_gate_as_it_says(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    assert [name for name, _ in saved_as()] == [
        "spark_jobs/busiest_hours.py",
        "expectations/busiest_hours.json",
        "dags/busiest_hours.py",
    ]
    caplog.set_level(logging.INFO, "tidegate")
    result = run(project, try_number=1)
    assert result["rows"] == HOURS
    assert_seen(said("[end]"), caplog.messages)
    caplog.clear()

    suite = project.root / "expectations" / "busiest_hours.json"
    broken = suite.read_text().replace('"max_value": 1200', '"max_value": 900')
    suite.write_text(broken)
    with pytest.raises(GateClosed):
        run(project, try_number=2)
    card = [line.replace("try 1", "try …") for line in said("|")]
    assert_seen(card, caplog.messages)
    assert project.table("lake.flights.busiest_hours").main() == result["snapshot_id"]
