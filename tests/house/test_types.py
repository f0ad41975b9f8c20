"""The order of a stage's steps is held by types: mypy refuses to publish what was not judged."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BEFORE = """
from pyspark.sql import DataFrame
from tidegate.contract import Judgement, Output
from tidegate.driver.gate import Gate
from tidegate.driver.targets.target import Fenced, Staged, Target

def step(target: Target, fenced: Fenced, staged: Staged, frame: DataFrame, gate: Gate) -> None:
    """
RIGHT = """begun = target.begin()
    if not isinstance(begun, Output):
        written = begun.write_aside(frame, gate)
        written.publish(gate.judge(written.frame, written.facts))
"""
WRONG = {
    "publishing what was not judged": "staged.publish()",
    "publishing by a verdict's name": "staged.publish('pass')",
    "publishing what was not written aside": "fenced.publish(Judgement(verdict='pass'))",
    "writing before the fence": "target.write_aside(frame, gate)",
    "writing what an earlier try has published": "target.begin().write_aside(frame, gate)",
    "judging what was not written": "gate.judge(fenced)",
}


def mypy(tmp_path: Path, statement: str) -> subprocess.CompletedProcess[str]:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(BEFORE + statement)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(snippet)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_right_order_is_accepted(tmp_path: Path) -> None:
    done = mypy(tmp_path, RIGHT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("what", WRONG)
def test_the_wrong_order_is_refused(tmp_path: Path, what: str) -> None:
    done = mypy(tmp_path, WRONG[what])
    assert done.returncode == 1, done.stdout
    assert "snippet.py:8: error" in done.stdout
