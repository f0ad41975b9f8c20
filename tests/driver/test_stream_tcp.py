"""A stream of lines by TCP: on disk before anything else, and on main once."""

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from streams import SCHEMA, StreamBench

from tidegate.contract import Report, parse_read
from tidegate.driver.__main__ import FAILED, HELD, run
from tidegate.driver.inputs import sockets
from tidegate.driver.inputs.spool import LONGEST_LINE, Spool
from tidegate.errors import SpecError
from tidegate.store import REPORT, AttemptFiles

JOB = "def run(lines):\n    return lines\n"


class Server:
    """Sends what it is given, a connection after the other; then it stalls or closes."""

    def __init__(self, *sends: bytes, closes: bool = False) -> None:
        self._sends = list(sends)
        self._closes = closes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            if self._sends:
                link.sendall(self._sends.pop(0))
            self._open.append(link)
            if self._closes or self._sends:
                link.close()

    def close(self) -> None:
        self._listener.close()
        for link in self._open:
            link.close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for each in made:
        each.close()


class Bench(StreamBench):
    servers: list[Server]

    def serve(self, *sends: bytes, closes: bool = False) -> Server:
        self.servers.append(Server(*sends, closes=closes))
        return self.servers[-1]

    def listen(self, server: str, run_id: str = "r1", **overrides: Any) -> tuple[int, Report]:
        lines = self.read(server, "spool")
        beside = overrides.pop("beside", {})
        given = {"trigger": "1 second", "run_for": "5 seconds", "job": JOB, **overrides}
        at = self.spec(run_id=run_id, **given)
        reads = {"lines": lines, **beside}
        code = run(replace(at, reads=tuple(map(parse_read, reads, reads.values()))))
        return code, Report.from_json(AttemptFiles(at.folder).read(REPORT))

    def read(self, server: str, spool: str, schema: str = SCHEMA) -> dict[str, str]:
        return {"socket": server, "schema": schema, "spool": str(self.folder / spool)}

    def letters(self) -> list[bytes]:
        name = f"{self.table}__dead_letters"
        self.spark.catalog.refreshTable(name)
        return sorted(bytes(row.value) for row in self.spark.table(name).collect())


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path, servers: list[Server]) -> Bench:
    made = Bench(spark, tmp_path)
    made.servers = servers
    return made


def line(number: int, v: float = 1.0) -> bytes:
    return b'{"id": %d, "v": %.1f}\n' % (number, v)


def test_lines_are_published_once_over_runs_and_connections(bench: Bench) -> None:
    server = bench.serve(line(1) + line(2), line(3) + b'{"id": 4, "v"')
    code, report = bench.listen(server.name)
    assert (code, report.outcome) == (0, "published")
    left = bench.serve(line(5))
    code, _ = bench.listen(left.name, "r2")
    assert (code, bench.ids()) == (0, [1, 2, 3, 5])
    # Half a line is a whole message for nobody.
    assert bench.letters() == [b'{"id": 4, "v"']


def test_what_does_not_parse_and_lines_without_end_are_dead_letters(bench: Bench) -> None:
    endless = b"x" * (LONGEST_LINE + 10)
    server = bench.serve(b"nope\r\n\n" + line(1) + endless)
    code, _ = bench.listen(server.name)
    code, report = bench.listen(bench.serve(line(2)).name, "r2")
    assert (code, bench.ids()) == (0, [1, 2])
    assert bench.letters()[0] == b"nope"
    assert b"".join(bench.letters()[1:]) == endless
    assert report.failure is None


def test_what_does_not_parse_is_of_its_own_input_alone(bench: Bench) -> None:
    bench.land(7)
    files = {"path": str(bench.landing), "stream": True, "schema": SCHEMA, "format": "json"}
    other = bench.read(bench.serve(b"8\nnope too\n").name, "the other's spool", "id INT")
    job = (
        "def run(lines, other, files):\n"
        "    both = lines.unionByName(files)\n"
        "    return both.unionByName(other, allowMissingColumns=True)\n"
    )
    server = bench.serve(line(1) + b"nope\n")
    beside = {"other": {**other, "format": "csv"}, "files": files}
    given = {"beside": beside, "job": job, "expectations": []}
    bench.listen(server.name, **given)
    code, report = bench.listen(server.name, "r2", **given)
    assert (code, bench.ids()) == (0, [1, 7, 8]), report.failure
    assert bench.letters() == [b"nope", b"nope too"]


def test_a_closed_gate_keeps_what_came_on_disk(bench: Bench) -> None:
    code, _ = bench.listen(bench.serve(line(1, v=-1.0)).name)
    assert code == HELD
    code, _ = bench.listen(bench.serve(line(2)).name, "r2", expectations=[])
    assert (code, bench.ids()) == (0, [1, 2])


def test_nobody_answers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_PATIENCE_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        name = f"127.0.0.1:{closed.getsockname()[1]}"
    code, report = bench.listen(name, run_for="30 seconds")
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == "ClusterUnavailable"
    assert name in report.failure.message


def test_what_a_killed_driver_had_received_is_taken_by_the_next(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        spool = Spool(tmp_path)
        spool.add(b"one\ntwo\nhal")
        spool.cut()
        spool.add(b"f\nthree\nthe rest of it nev")
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    Spool(tmp_path).close()
    whole = [file.read_bytes() for file in sorted(tmp_path.glob("*.lines"))]
    assert b"".join(whole).split(b"\n") == [
        b"one", b"two", b"half", b"three", b"the rest of it nev", b"",
    ]  # fmt: skip
    assert list(tmp_path.glob("*.part")) == []


def test_what_a_living_driver_writes_is_left_to_it(tmp_path: Path) -> None:
    mine = Spool(tmp_path)
    mine.add(b"mine\n")
    other = Spool(tmp_path)
    assert list(tmp_path.glob("*.lines")) == []
    other.close()
    mine.close()
    (file,) = tmp_path.glob("*.lines")
    assert file.read_bytes() == b"mine\n"


@pytest.mark.parametrize("bad", ["nowhere", "host:port", ":x"])
def test_a_port_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(SpecError, match="give 'host:port'"):
        parse_read("x", {"socket": bad, "schema": "id INT"})
