"""What the driver tells comes by a file of its own; Spark's output goes to a file, byte by byte."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from tests.thinned import only

from tidegate.store import TOLD, AttemptFiles
from tidegate.submit.output import Output
from tidegate.submit.told import Told


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pages: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def spark_ui(self, address: str) -> None:
        self.pages.append(address)


@pytest.fixture
def files(tmp_path: Path) -> AttemptFiles:
    return AttemptFiles(str(tmp_path))


def heard(files: AttemptFiles, *lines: str) -> Heard:
    found = Heard()
    told = Told(files=files, listener=found)
    for line in lines:
        files.append(TOLD, line)
        told.look()
    told.look()
    return found


def test_lines_are_handed_on_once_and_in_order(files: AttemptFiles) -> None:
    said = [json.dumps({"say": f"line {n}"}) for n in range(5)]
    assert heard(files, *said).lines == [f"line {n}" for n in range(5)]


def test_half_a_line_waits_for_its_end(files: AttemptFiles) -> None:
    found = Heard()
    told = Told(files=files, listener=found)
    with files.path(TOLD).open("a") as out:
        out.write('{"say": "wh')
        out.flush()
        told.look()
        out.write('ole"}\n')
    told.look()
    assert found.lines == ["whole"]


@pytest.mark.parametrize("line", ["", "x", "[]", "null", '{"say": 3}', '{"ui": {}}', "{" * 9000])
def test_a_line_that_is_none_of_ours_is_passed_over(files: AttemptFiles, line: str) -> None:
    found = heard(files, line, '{"say": "after"}')
    assert (found.lines, found.pages) == (["after"], [])


def test_what_is_told_is_one_clean_and_bounded_line(files: AttemptFiles) -> None:
    (line,) = heard(files, json.dumps({"say": "a\nb\x1b[31m\u202e" + "x" * 9000})).lines
    assert line.startswith("a\\nb\\x1b[31m\\u202ex")
    assert len(line) <= 300
    assert line.isprintable()


def test_a_flood_of_lines_is_cut(files: AttemptFiles) -> None:
    assert len(heard(files, *['{"say": "x"}'] * 500).lines) == 40


def test_a_line_without_an_end_is_passed_over_in_bounded_memory(files: AttemptFiles) -> None:
    with files.path(TOLD).open("w") as out:
        out.write("x" * 1_000_000)
    found = Heard()
    told = Told(files=files, listener=found)
    for _ in range(40):
        told.look()
    files.append(TOLD, "")
    files.append(TOLD, '{"say": "after"}')
    told.look()
    assert found.lines == ["after"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "file:///etc/passwd", "http://", "http://a b/", "http://u:p@h/",
     "data:text/html,x", "//h/x", "http://h/\u202e", "http://[", "ftp://h/x", "x" * 500],
)  # fmt: skip
def test_only_a_page_is_a_link(files: AttemptFiles, address: str) -> None:
    assert heard(files, json.dumps({"ui": address})).pages == []


def test_the_address_of_sparks_ui_is_taken_once(files: AttemptFiles) -> None:
    said = [json.dumps({"ui": f"http://10.0.0.1:404{n}"}) for n in range(3)]
    assert heard(files, *said).pages == ["http://10.0.0.1:4040"]


def copied(code: str, tmp_path: Path, *secrets: str) -> tuple[bytes, Output]:
    output = Output(secrets)
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; out = sys.stdout.buffer\n{code}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "out.log").open("wb") as log:
        output.copy(process, log, lambda: None)
    assert process.wait() == 0
    return (tmp_path / "out.log").read_bytes(), output


def test_bytes_that_are_no_text_end_nothing(tmp_path: Path) -> None:
    log, output = copied(r"out.write(b'before \xff\xfe\n' + b'after\n')", tmp_path)
    assert log.decode() == "before \ufffd\ufffd\nafter\n"
    assert output.tail[-1] == "after"


@pytest.mark.parametrize("megabytes", only((40, 200), [40]))
def test_a_line_without_an_end_costs_a_worker_no_memory(tmp_path: Path, megabytes: int) -> None:
    tracemalloc.start()
    code = f"for _ in range({megabytes}): out.write(b'x' * 1024 * 1024)"
    log, output = copied(code, tmp_path)
    peak = tracemalloc.get_traced_memory()[1] - len(log)
    tracemalloc.stop()
    assert len(log) == megabytes * 1024 * 1024
    assert peak < 16 * 1024 * 1024
    assert max(map(len, output.tail)) <= 2000


def test_known_secrets_do_not_reach_the_log_however_the_output_is_cut(tmp_path: Path) -> None:
    code = "import time\nfor part in (b'key=HU', b'SH-HU', b'SH\\n'):\n"
    code += "    out.write(part); out.flush(); time.sleep(0.2)"
    log, output = copied(code, tmp_path, "HUSH-HUSH")
    assert b"HUSH" not in log
    assert list(output.tail) == ["key=***"]
