"""``make stream`` as a whole: Airflow, a broker, a station, a killed driver, and the proof."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from demo.server import PROJECT
from tests.system.stages import until

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]
SECONDS = 1800


def start(root: Path) -> subprocess.Popen[str]:
    """Start it in a folder of its own, with a model store of its own: the night trains first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TIDEGATE_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    ours = {"PATH": path, "PYTHONPATH": f"{PROJECT / 'plugins'}{os.pathsep}{PROJECT}"}
    ours["MLFLOW_TRACKING_URI"] = f"sqlite:///{root.parent / 'mlflow.db'}"
    return subprocess.Popen(
        [sys.executable, "-m", "demo.stream.run", str(root)],
        cwd=PROJECT,
        env={**kept, **ours},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def left(root: Path) -> list[str]:
    """Return the processes that work in a folder, or were told of it."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), process.environ().get("AIRFLOW_HOME", ""), process.cwd()]
        except psutil.Error:
            continue
        if any(str(root) in each for each in told):
            found.append(" ".join(told))
    return found


def test_nothing_is_lost_or_doubled_and_no_process_is_left(tmp_path: Path) -> None:
    root = tmp_path / "stream"
    output, _ = start(root).communicate(timeout=SECONDS)
    assert "kill -9 of the driver" in output, output
    assert re.search(r"live_departures +try 1 +up for retry", output), output
    assert re.search(r"live_departures +try 2 +success", output), output
    assert re.search(r"live_departures +857 +850 +7 +0 +0 +0\n", output), output
    assert re.search(r"live_weather +73 +72 +1 +0 +0 +-\n", output), output
    assert "nothing was lost, nothing doubled" in output, output
    assert left(root) == []


def test_one_that_is_terminated_leaves_no_process(tmp_path: Path) -> None:
    root = tmp_path / "stream"
    running = start(root)
    until("Airflow's scheduler", (root / "airflow" / "scheduler.log").is_file)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 130, output
    assert output.endswith("interrupted: what was started has been ended\n"), output
    assert left(root) == []
