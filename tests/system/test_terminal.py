"""The terminal, as docs/how-to/terminal.md shows it, with a real Spark and no server of Airflow."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo.land import WHOLE, by_day, rows, write
from tests.documents import BLOCKS
from tests.system.lake import Table
from tests.system.stages import QUICK, REPOSITORY, environment

pytestmark = pytest.mark.system

DAY = "2013-02-08"


class Terminal:
    """A copy of the repository's project, one day landed, and a shell in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # The live DAGs need connections and Spark's Kafka source, as the document says.
        but_live = shutil.ignore_patterns("live_*")
        for folder in ("dags", "spark_jobs", "expectations", "conf"):
            shutil.copytree(REPOSITORY / folder, root / folder, ignore=but_live)
        with (root / "conf" / "spark-defaults.conf").open("a") as conf:
            conf.write(QUICK)
        for name in ("flights", "weather"):
            write(root / "landing" / name / f"{DAY}.csv", by_day(name)[DAY])
        for name in WHOLE:
            write(root / "landing" / f"{name}.csv", list(rows(name)))
        self.environment = environment(root, "local[2]")
        self.environment.pop("AIRFLOW_HOME")

    def tidegate(self, *words: str) -> tuple[int, str]:
        """Return exit code and output of ``python -m tidegate``."""
        done = subprocess.run(
            [sys.executable, "-m", "tidegate", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root,
            env=self.environment,
        )
        return done.returncode, done.stdout + done.stderr

    def published(self) -> int | None:
        return Table(self.root / "lake", "lake.flights.clean").main()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("terminal"))


def commands() -> list[list[str]]:
    """Return what the document has a person type, in its order."""
    found = []
    for block in BLOCKS:
        if block.file.name == "terminal.md" and not block.language:
            lines = [line for line in block.text.splitlines() if line.startswith("python -m tid")]
            found += [shlex.split(line, comments=True)[3:] for line in lines]
    return found


def test_every_command_of_the_document_does_what_it_says(terminal: Terminal) -> None:
    done = {}
    for words in commands():
        code, told = terminal.tidegate(*words)
        assert code == 0, told
        done[" ".join(words)] = told
    validate, rehearsal, real, explained = done.values()
    assert "5 stages checked; errors: 0" in validate
    assert "not published, as asked" in rehearsal
    for told in (real, explained):
        assert "published 930 rows, verdict" in told
        assert "[end] snapshot " in told
    assert terminal.published() is not None


def test_validate_finds_what_somebody_broke(terminal: Terminal) -> None:
    suite = terminal.root / "expectations" / "daily_delays.json"
    job = terminal.root / "spark_jobs" / "rank_airports.py"
    before = (suite.read_text(), job.read_text())
    document = json.loads(before[0])
    rule = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "carier"}}
    document["expectations"].append(rule)
    suite.write_text(json.dumps(document))
    job.write_text(before[1].replace("vertices: DataFrame", "vertexes: DataFrame"))
    (terminal.root / "dags" / "broken.py").write_text("from airflow.sdk import DAG\n1 / 0\n")
    try:
        code, told = terminal.tidegate("validate", ".", "--date", "2013-02-09")
    finally:
        suite.write_text(before[0])
        job.write_text(before[1])
        (terminal.root / "dags" / "broken.py").unlink()
    assert code == 1
    assert "error  dags/broken.py: ZeroDivisionError: division by zero (line 2" in told
    assert "no column 'carier'; nearest: ['carrier'" in told
    assert "asks for ['vertexes']; this stage offers" in told
    assert "landing/flights/2013-02-09.csv; land it" in told
    assert "errors: " in told.splitlines()[-1]
