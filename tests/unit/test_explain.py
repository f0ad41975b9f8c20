"""``tidegate explain``: a report in words, with nothing of Airflow or Spark."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders import failing, report, spec

from tidegate.cli.main import main
from tidegate.contract import Failure, Judgement, Output, Report
from tidegate.store import LOG, REPORT, SPEC, AttemptFiles


def attempt(folder: Path, told: Report) -> AttemptFiles:
    files = AttemptFiles(str(folder))
    files.write(SPEC, spec(folder="elsewhere").to_json())
    files.write(REPORT, told.to_json())
    return files


def held() -> Report:
    closed = Judgement(verdict="closed", expectations=(failing(),))
    output = Output(target="lake.flights.clean", rows=72, version=2, held_at="aside")
    return report(outcome="held", judgement=closed, output=output)


def test_a_published_stage_is_told_by_its_green_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(tmp_path, report())
    assert main(["explain", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("[end] lake.flights.clean: published") for line in lines)
    assert main(["explain", str(tmp_path / REPORT)]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_a_closed_gate_is_told_by_its_card_which_names_the_files_where_they_are_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(tmp_path, held())
    assert main(["explain", str(tmp_path)]) == 0
    card = capsys.readouterr().out
    assert "GATE CLOSED  nightly / clean" in card
    assert "suite flights_clean" in card
    assert "wind_speed: 1.4 % outside [0, 200]" in card
    unwrapped = card.replace("\n|        ", "")
    assert str(tmp_path / LOG) in unwrapped
    assert "elsewhere" not in card


def test_a_failure_is_told_by_its_card_also_of_a_report_that_lies_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = Failure(type="DataError", message="there is nothing at landing/x.csv")
    told = report(outcome="failed", failure=failure, judgement=None, output=None)
    (tmp_path / "copied.json").write_text(told.to_json())
    assert main(["explain", str(tmp_path / "copied.json")]) == 0
    card = capsys.readouterr().out
    assert "DATA ERROR  nightly / clean" in card
    assert "there is nothing at landing/x.csv" in card


def test_of_a_folder_with_several_attempts_the_newest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(tmp_path / "try=1", held())
    attempt(tmp_path / "try=2", report())
    assert main(["explain", str(tmp_path)]) == 0
    assert "published" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "", "[]", '{"protocol": 2}', '{"protocol": 99}'])
def test_what_is_no_report_is_told_in_one_line(
    tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / REPORT).write_text(text)
    assert main(["explain", str(tmp_path / REPORT)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("tidegate: ")
    assert len(told.splitlines()) == 1


def test_a_wrong_command_line_ends_with_2() -> None:
    for words in ([], ["explode"], ["run", "dag.py", "task", "soon"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2


def test_explaining_imports_neither_airflow_nor_an_engine(tmp_path: Path) -> None:
    attempt(tmp_path, held())
    code = f"""
import sys
from tidegate.cli.main import main
assert main(["explain", {str(tmp_path)!r}]) == 0
heavy = ("airflow", "pyspark", "pandas", "great_expectations", "jinja2", "tidegate.driver")
print([name for name in heavy if name in sys.modules])
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root / "plugins")},
    )
    assert done.stdout.splitlines()[-1] == "[]"
