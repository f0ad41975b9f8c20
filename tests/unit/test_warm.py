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

from tidegate.contract import Attempt, StageSpec, Suite, parse_read
from tidegate.contract.feeds import KafkaRead
from tidegate.contract.stream import Stream
from tidegate.frames import Frames, is_ours, peer, pour, tell
from tidegate.submit.cluster import Cluster
from tidegate.submit.output import Output
from tidegate.submit.warm.doors import Doors
from tidegate.submit.warm.processes import ancestors
from tidegate.submit.warm.share import Share
from tidegate.submit.warm.start import Start
from tidegate.submit.warm.submission import own_driver
from tidegate.submit.warm.visit import ordinal

SALT = "salt"
CLUSTER = Cluster(conn_id="spark_default", master="local[2]", manager="local", deploy_mode="client")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").write_text("spark.ui.enabled false\n")
    (tmp_path / "a.jar").write_bytes(b"jar")
    (tmp_path / "project").mkdir()
    return Start(
        cluster=CLUSTER,
        connection="spark_default spark://local[2]",
        spark={"conf": {"spark.a": "1"}, "jars": str(tmp_path / "a.jar")},
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


def with_argument(start: Start, name: str, value: Any) -> Start:
    return replace(start, spark={**start.spark, name: value})


def of_another_file(start: Start) -> Start:
    Path(start.spark["jars"]).write_bytes(b"other jar")
    return start


def of_other_defaults(start: Start) -> Start:
    Path(start.environment["SPARK_CONF_DIR"], "spark-defaults.conf").write_text("spark.b 2\n")
    return start


def of_another_folder(start: Start) -> Start:
    start.project.rename(start.project.with_name("before"))
    start.project.mkdir()
    return start


UNEQUAL: dict[str, Callable[[Start], Start]] = {
    "conf": lambda start: with_argument(start, "conf", {"spark.a": "2"}),
    "resources": lambda start: with_argument(start, "driver_memory", "2g"),
    "packages": lambda start: with_argument(start, "packages", "a:b:1"),
    "connection": lambda start: replace(start, connection="other spark://local[2]"),
    "spark-submit": lambda start: replace(start, cluster=replace(CLUSTER, binary=sys.executable)),
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
    "a folder of classes": lambda start: with_argument(start, "driver_class_path", "/tmp"),
    "a remote jar": lambda start: with_argument(start, "jars", "hdfs://n/a.jar"),
    "a remote jar by conf": lambda start: with_argument(
        start, "conf", {"spark.jars": "hdfs://n/a.jar"}
    ),
    "a keytab": lambda start: with_argument(start, "keytab", "k"),
    "the connection's keytab": lambda start: replace(start, cluster=replace(CLUSTER, keytab=b"k")),
    "yarn": lambda start: replace(start, cluster=replace(CLUSTER, master="yarn")),
    "executors of its own": lambda start: replace(
        start, cluster=replace(CLUSTER, master="local-cluster[2,1,512]")
    ),
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


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doors:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Doors.of_this_user(2)


def test_the_folder_of_the_doors_is_this_users_alone(doors: Doors, tmp_path: Path) -> None:
    assert doors.folder.stat().st_mode & 0o777 == 0o700
    doors.folder.chmod(0o755)
    with pytest.raises(PermissionError):
        Doors.of_this_user(2)
    doors.folder.rmdir()
    doors.folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        Doors.of_this_user(2)


def test_a_folder_whose_name_is_too_long_for_a_socket_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(OSError, match="too long for a socket"):
        Doors.of_this_user(2)


def test_there_are_as_many_places_as_doors(doors: Doors) -> None:
    with doors.free() as first, doors.free() as second, doors.free() as third:
        assert (bool(first), bool(second), third) == (True, True, None)
    with doors.free() as again:
        assert again


def test_an_attempts_share_ends_where_its_mark_stands_whatever_it_comes_in() -> None:
    heard: list[bytes] = []
    share = Share(heard.append)
    share.take(b"nobody's")
    mark = share.begin().encode()
    printed = b"one\n" + mark[:9] + b"two\n" + mark + b"\nnobody's"
    for number in range(len(printed)):
        share.take(printed[number : number + 1])
    assert b"".join(heard) == b"one\n" + mark[:9] + b"two\n"
    assert share.is_whole


def test_a_share_without_its_mark_is_handed_over_whole() -> None:
    heard: list[bytes] = []
    share = Share(heard.append)
    share.begin()
    share.take(b"last words")
    share.finish()
    assert b"".join(heard) == b"last words"


def spec_of(**more: Any) -> StageSpec:
    attempt = Attempt(
        dag_id="d",
        task_id="t",
        run_id="r",
        map_index=-1,
        try_number=1,
        generation=0,
        submitted_ms=1,
    )
    given = {"kind": "batch", "job": "j.py", "job_sha256": "0", "writes": "lake.a.b", **more}
    suite = Suite(name="s", document={"expectations": []})
    return StageSpec(attempt=attempt, suite=suite, params={}, folder="/r", **given)


OWN: dict[str, Callable[[], StageSpec]] = {
    "a stream": lambda: spec_of(
        kind="stream",
        reads=(KafkaRead(name="x", kafka="t", servers="h:1", schema="id INT"),),
        stream=Stream(),
    ),
    "an engine that changes Spark's own checkpoints": lambda: spec_of(
        kind="graph", reads=(parse_read("edges", "lake.a.e"),), engine="graphframes"
    ),
    "an option of Hadoop's file system": lambda: spec_of(
        reads=(parse_read("x", {"path": "s3a://b/x.csv", "options": {"fs.s3a.endpoint": "e"}}),)
    ),
    "a secret one": lambda: spec_of(
        reads=(parse_read("x", "s3a://b/x.csv"),),
        conf={"spark.tidegate.read.x.fs.s3a.secret.key": "k"},
    ),
}


@pytest.mark.parametrize("what", OWN)
def test_some_stages_have_a_driver_of_their_own(what: str) -> None:
    assert own_driver(spec_of(reads=(parse_read("x", "s3a://b/x.csv"),))) == ""
    assert own_driver(OWN[what]())


def test_a_full_disk_ends_the_log_and_not_the_work() -> None:
    output = Output([])
    with open("/dev/full", "wb", buffering=0) as full:
        output.take(b"one\n", full)
    assert list(output.tail) == ["one"]


@pytest.mark.parametrize(("number", "name"), [(1, "1st"), (2, "2nd"), (11, "11th"), (23, "23rd")])
def test_a_stages_number_is_said_as_people_say_it(number: int, name: str) -> None:
    assert ordinal(number) == name
