"""Whether two starts are equal, what is private, and how a task and a keeper talk."""

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tidegate.frames import Frames, is_ours, peer, pour, tell
from tidegate.submit.processes import ancestors
from tidegate.submit.start import Start
from tidegate.submit.warm import doors, ordinal

SALT = "salt"


@pytest.fixture
def start(tmp_path: Path) -> Start:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").write_text("spark.ui.enabled false\n")
    (tmp_path / "a.jar").write_bytes(b"jar")
    (tmp_path / "project").mkdir()
    return Start(
        master="local[2]",
        command=("spark-submit", "--conf", "spark.a=1", "--jars", str(tmp_path / "a.jar"), "x.py"),
        environment={
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_CONF_DIR": str(tmp_path / "conf"),
            "AIRFLOW_CTX_TASK_ID": "one",
            "_AIRFLOW__STARTUP_MSG": "secret",
            "COLOUR": "red",
        },
        secrets={"spark.secret": "s", "spark.tidegate.read.x.password": "p"},
        project=tmp_path / "project",
    )


def with_variable(start: Start, name: str, value: str) -> Start:
    return replace(start, environment={**start.environment, name: value})


def of_another_file(start: Start) -> Start:
    file = Path(start.command[4])
    file.write_bytes(b"other jar")
    return start


def of_other_defaults(start: Start) -> Start:
    Path(start.environment["SPARK_CONF_DIR"], "spark-defaults.conf").write_text("spark.b 2\n")
    return start


def of_another_folder(start: Start) -> Start:
    start.project.rename(start.project.with_name("before"))
    start.project.mkdir()
    return start


UNEQUAL: dict[str, Callable[[Start], Start]] = {
    "conf": lambda start: replace(start, command=("spark-submit", "--conf", "spark.a=2", "x.py")),
    "variable": lambda start: with_variable(start, "COLOUR", "blue"),
    "new variable": lambda start: with_variable(start, "SIZE", "1"),
    "secret": lambda start: replace(start, secrets={"spark.secret": "t"}),
    "jar": of_another_file,
    "defaults": of_other_defaults,
    "project of the same name": of_another_folder,
}
EQUAL: dict[str, Callable[[Start], Start]] = {
    "another task": lambda start: with_variable(start, "AIRFLOW_CTX_TASK_ID", "two"),
    "another supervisor": lambda start: with_variable(start, "__AIRFLOW_SUPERVISOR_FD", "9"),
    "a password of a read": lambda start: replace(
        start, secrets={**start.secrets, "spark.tidegate.read.x.password": "q"}
    ),
}
UNCLEAR: dict[str, Callable[[Start], Start]] = {
    "a folder of classes": lambda start: replace(
        start, command=("spark-submit", "--driver-class-path", "/tmp", "x.py")
    ),
    "a remote jar": lambda start: replace(
        start, command=("spark-submit", "--jars", "hdfs://n/a.jar", "x.py")
    ),
    "a remote jar by conf": lambda start: replace(
        start, command=("spark-submit", "--conf", "spark.jars=hdfs://n/a.jar", "x.py")
    ),
    "a keytab": lambda start: replace(start, command=("spark-submit", "--keytab", "k", "x.py")),
    "yarn": lambda start: replace(start, master="yarn"),
    "executors of its own": lambda start: replace(start, master="local-cluster[2,1,512]"),
    "another Python": lambda start: with_variable(start, "PYSPARK_DRIVER_PYTHON", "/other"),
}


@pytest.mark.parametrize("what", UNEQUAL)
def test_another_start_has_another_seal(start: Start, what: str) -> None:
    before = start.seal(SALT)
    assert UNEQUAL[what](start).seal(SALT) != before


@pytest.mark.parametrize("what", EQUAL)
def test_an_equal_start_has_the_same_seal(start: Start, what: str) -> None:
    assert EQUAL[what](start).seal(SALT) == start.seal(SALT)


@pytest.mark.parametrize("what", UNCLEAR)
def test_what_cannot_be_compared_is_said(start: Start, what: str) -> None:
    assert start.unclear() == ""
    assert UNCLEAR[what](start).unclear()


def test_another_driver_has_another_seal_of_the_same_start(start: Start) -> None:
    assert start.seal("one") != start.seal("two")


def test_an_attempt_gets_what_airflow_tells_of_it_and_nothing_of_airflows_own(start: Start) -> None:
    assert start.passing == {"AIRFLOW_CTX_TASK_ID": "one"}
    assert start.lasting.keys() == {"PYSPARK_DRIVER_PYTHON", "SPARK_CONF_DIR", "COLOUR"}


def test_frames_come_out_as_they_went_in() -> None:
    one, other = socket.socketpair()
    with one, other:
        tell(one, {"a": 1})
        pour(one, b"\0raw\n")
        tell(one, {"b": "ü"})
        frames = Frames(other)
        found: list[Any] = []
        while len(found) < 3:
            found += frames.read()
    assert found == [{"a": 1}, b"\0raw\n", {"b": "ü"}]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"m\0\0\0\2[]", b"m\0\0\0\1{"])
def test_what_is_no_frame_of_ours_ends_the_talk(data: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(data)
        with pytest.raises(OSError, match="of ours"):
            Frames(other).message()


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer(other) == (os.getpid(), os.getuid())
        assert is_ours(other)


def test_a_process_descends_from_its_parents() -> None:
    above = list(ancestors(os.getpid()))
    assert above[:1] == [os.getppid()] or os.getppid() == 1
    assert 1 not in above


def test_the_folder_of_the_doors_is_this_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = doors()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(PermissionError):
        doors()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        doors()


@pytest.mark.parametrize(("number", "name"), [(1, "1st"), (2, "2nd"), (11, "11th"), (23, "23rd")])
def test_a_stages_number_is_said_as_people_say_it(number: int, name: str) -> None:
    assert ordinal(number) == name
