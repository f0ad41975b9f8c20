"""``make stream``: a day's departures by Kafka and its weather by TCP, through Airflow, and a kill.

In the middle a driver is killed with -9. At the end every message is accounted for, or the exit
code is not 0.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

import psutil
import requests

from demo import night
from demo.night import say
from demo.server import PROJECT, AirflowServer
from demo.stream import project, replay, weather
from demo.stream.broker import Broker
from demo.stream.proof import SENT_DEPARTURES, SENT_WEATHER
from tidegate.contract import Report
from tidegate.store import PAGE, REPORT, Store

DEPARTURES, WEATHER = "live_departures", "live_weather"
LISTENS = "40 seconds"
"""How long the driver of the weather listens; the station is done before."""
BEFORE_KILL = 2
"""So many micro-batches are on main when the driver is killed."""
SECONDS = 900
TOLD = ("success", "failed", "up_for_retry")


class Show:
    """The runs of both DAGs, told as they happen."""

    def __init__(self, server: AirflowServer, root: Path) -> None:
        self._server = server
        self._root = root
        self._began = time.monotonic()
        self._told: set[tuple[str, str, int]] = set()
        self.run_id = f"stream_{int(time.time())}"

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        say(f"  {time.monotonic() - self._began:5.0f} s  {text}")

    def start(self) -> None:
        """Start a run of each DAG."""
        self._server.trigger(WEATHER, self.run_id, {"run_for": LISTENS})
        self._server.trigger(DEPARTURES, self.run_id, {})

    def states(self) -> dict[str, str]:
        """Return the state of each DAG's task, and say those that are new."""
        seen = {}
        for dag in (DEPARTURES, WEATHER):
            task = self._server.tasks(dag, self.run_id)[dag]
            state, number = str(task["state"]), int(task["try_number"])
            seen[dag] = state
            if state in TOLD and (dag, state, number) not in self._told:
                self._told.add((dag, state, number))
                self.say(f"{dag:16} try {number}  {state.replace('_', ' ')}")
        return seen

    def kill(self) -> None:
        """Kill the driver of the departures as soon as a part of them is on main.

        :raises RuntimeError: if it ended before.
        :raises TimeoutError: if nothing is published.
        """
        spec = str(self._folder(1) / "spec.json")
        deadline = time.monotonic() + SECONDS
        while (count := published(self._root)) < BEFORE_KILL:
            state = self.states()[DEPARTURES]
            if state in TOLD:
                raise RuntimeError(f"the driver's first try ended too soon ({state}): {spec}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing was published within {SECONDS} s: {spec}")
            time.sleep(0.2)
        killed = drivers(spec)
        for process in killed:
            with suppress(psutil.NoSuchProcess):  # it follows the one that was killed before it
                process.send_signal(signal.SIGKILL)
        pids = ", ".join(str(process.pid) for process in killed)
        self.say(f"{count} micro-batches are on main: kill -9 of the driver (process {pids})")

    def follow(self) -> bool:
        """Wait until both tasks have ended; return whether they did as they should.

        :raises TimeoutError: if they do not end.
        """
        deadline = time.monotonic() + SECONDS
        while not set(self.states().values()) <= {"success", "failed"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the runs {self.run_id} have not ended within {SECONDS} s")
            time.sleep(1)
        retried = (DEPARTURES, "success", 2) in self._told
        listened = (WEATHER, "success", 1) in self._told
        if not (retried and listened):
            say(f"  NOT as it should be; see {self._root / 'airflow' / 'tidegate'}")
        return retried and listened

    def summary(self) -> None:
        """Print what the last attempt of each stream says of itself."""
        say(
            f"\n  {'last attempt of':16} {'batches':>8} {'rows':>5} {'dead':>5} {'lag':>4}  verdict"
        )
        pages = []
        for dag in (DEPARTURES, WEATHER):
            for files in Store(str(self._root / "airflow" / "tidegate")).of_run(dag, self.run_id):
                report = Report.from_json(files.read(REPORT))
                flow = report.flow
                if flow is None:
                    continue
                lag = "-"
                if flow.lag is not None:
                    lag = f"{flow.lag:,}"
                say(
                    f"  {dag:16} {flow.batches:8} {flow.rows:5} {flow.dead:5} {lag:>4}  "
                    f"{report.verdict}"
                )
                pages.append(files.path(PAGE))
        for page in pages:
            say(f"  gate report      {page}")

    def _folder(self, number: int) -> Path:
        run = self._root / "airflow" / "tidegate" / DEPARTURES / self.run_id
        return run / DEPARTURES / "map=-1" / f"try={number}"


def published(root: Path) -> int:
    """Return how many micro-batches of departures readers see, from Iceberg's own metadata."""
    folder = root / "lake" / "flights" / "live" / "metadata"
    versions = {int(file.name[1:].partition(".")[0]): file for file in folder.glob("v*.json")}
    if not versions:
        return 0
    document = json.loads(versions[max(versions)].read_text(encoding="utf-8"))
    known = {each["snapshot-id"]: each for each in document["snapshots"]}
    at = document["refs"].get("main", {}).get("snapshot-id")
    count = 0
    while at in known:
        count += "tidegate.verdict" in known[at]["summary"]
        at = known[at].get("parent-snapshot-id")
    return count


def drivers(spec: str) -> list[psutil.Process]:
    """Return the processes of an attempt's driver: spark-submit's JVM, and its Python."""
    listed = psutil.process_iter(["cmdline"])
    return [each for each in listed if spec in (each.info["cmdline"] or ())]


def send(broker: Broker, part: str, messages: Sequence[replay.Message]) -> str:
    """Send messages; return what there is to say of them."""
    broker.send(replay.TOPIC, [message.line for message in messages])
    fates = [message.fate for message in messages]
    return (
        f"{part}: {len(messages)} departures sent, of these {fates.count('broken')} broken, "
        f"{fates.count('late')} late, {fates.count('twice')} twice"
    )


def train(server: AirflowServer) -> None:
    """Have the night of the example train a champion.

    :raises RuntimeError: if it does not.
    """
    say(f"no champion of {project.MODEL} yet: {night.DAG} trains one, which takes minutes, once")
    night.run_night(server, project.NIGHT)
    if not project.has_champion():
        raise RuntimeError(f"the night left no champion; its logs are in {server.home}/tidegate")


def stream(root: Path) -> bool:
    """Send, run, kill and follow; return whether all went as it should."""
    sent = replay.messages(root / "landing" / "flights" / f"{project.DAY}.csv")
    lines = weather.readings(root / "landing" / "weather" / f"{project.DAY}.csv")
    with ExitStack() as running:
        broker = running.enter_context(Broker(root / "broker"))
        broker.topic(replay.TOPIC, replay.PARTITIONS)
        station = running.enter_context(weather.Station(lines))
        told = project.settings(root, broker.servers, station.port)
        say(f"Kafka is at {broker.servers}; starting Airflow …")
        airflow = AirflowServer(root / "airflow", root / "dags", settings=told)
        server = running.enter_context(airflow)
        if not project.has_champion():
            train(server)
        say(f"\n── {project.DAY}: departures by Kafka, weather by TCP ──")
        show = Show(server, root)
        half = len(sent) // 2
        show.say(send(broker, "morning", sent[:half]))
        show.start()
        show.kill()
        show.say(send(broker, "evening", sent[half:]))
        well = show.follow()
        show.summary()
        write(root / SENT_DEPARTURES, [asdict(message) for message in sent])
        write(root / SENT_WEATHER, station.sent)
    if len(station.sent) < len(lines):
        say(f"  the station got rid of {len(station.sent)} lines of {len(lines)} only")
        return False
    return well


def write(file: Path, document: object) -> None:
    """Write a JSON file."""
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")


def prove(root: Path) -> bool:
    """Compare the lake with what was sent, in a process of its own."""
    path = os.pathsep.join((str(PROJECT), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "SPARK_CONF_DIR": str(root / "conf"), "PYTHONPATH": path}
    command = [sys.executable, "-m", "demo.stream.proof", str(root)]
    log = root / "proof.log"
    with log.open("w") as errors:
        done = subprocess.run(command, env=environment, cwd=root, check=False, stderr=errors)
    if done.returncode:
        say(f"  NOT every message is there once; the log is {log}")
    return done.returncode == 0


def main() -> int:
    """Run it all, in the folder of the first argument; return 0 if all is there once."""
    # A terminated run ends what it has started, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    root = project.ROOT
    if len(sys.argv) > 1:
        root = Path(sys.argv[1]).absolute()
    try:
        project.prepare(root)
        well = stream(root)
        well = prove(root) and well
    except (RuntimeError, OSError, requests.RequestException) as failed:
        say(f"\nmake stream failed: {failed}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted: what was started has been ended")
        return 130
    ended = "nothing was lost, nothing doubled"
    if not well:
        ended = "NOT as it should be"
    say(f"\n{ended} ({time.monotonic() - began:.0f} s)")
    say(f"files {root}: lake, sent, airflow/tidegate; the next `make stream` begins anew")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
