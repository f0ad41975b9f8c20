"""An attempt's folder is its own: fresh, private, and nobody's link is followed."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from builders import ATTEMPT

from tidegate.store import REPORT, SPEC, TOLD, AttemptFiles, Store
from tidegate.submit.package import pack_driver

STRANGE = [
    ".", "..", "...", "../../etc", "a/b", "/", "manual__2013-02-08T00:00:00+00:00", "ä ö", "%2E",
    "x" * 250, "é" * 120, "a\nb", "con:", "~", "-rf", "*", "try=1",
]  # fmt: skip


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o377], ids=oct)
def umask(request: pytest.FixtureRequest) -> int:
    before = os.umask(request.param)
    request.addfinalizer(lambda: os.umask(before))
    return int(request.param)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("strange", STRANGE)
def test_any_id_has_a_folder_of_its_own_inside_the_store(tmp_path: Path, strange: str) -> None:
    store = Store(str(tmp_path))
    for field in ("dag_id", "run_id", "task_id"):
        files = store.files(replace(ATTEMPT, **{field: strange}))
        assert len(files.folder.relative_to(tmp_path).parts) == 5
        assert files.folder.resolve().is_relative_to(tmp_path.resolve())
        assert files.folder.resolve() == files.folder
        assert ":" not in str(files.folder)
        files.create()
        files.write(REPORT, "{}")
        assert files.read(REPORT) == "{}"


def test_no_two_ids_share_a_folder(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    folders = {store.files(replace(ATTEMPT, run_id=each)).uri for each in STRANGE}
    assert len(folders) == len(STRANGE)
    long = {store.files(replace(ATTEMPT, run_id="x" * 250 + end)).uri for end in "abc"}
    assert len(long) == 3


def test_folder_and_files_are_for_their_owner_alone_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    if umask == 0o377:
        tmp_path.chmod(0o700)
    files = AttemptFiles(str(tmp_path / "attempt"))
    files.create()
    files.write(SPEC, "{}")
    files.append(TOLD, "{}")
    assert mode(files.folder) == 0o700
    for name in (SPEC, TOLD):
        assert not mode(files.path(name)) & 0o077


def test_what_an_earlier_execution_left_is_kept_aside_and_not_believed(tmp_path: Path) -> None:
    files = Store(str(tmp_path)).files(ATTEMPT)
    files.create()
    files.write(REPORT, "first")
    files.create()
    assert files.names() == []
    (aside,) = [each for each in files.folder.parent.iterdir() if each != files.folder]
    assert (aside / REPORT).read_text() == "first"
    assert list(Store(str(tmp_path)).of_run(ATTEMPT.dag_id, ATTEMPT.run_id)) == []


@pytest.mark.parametrize("planted", ["link to a folder", "dangling link", "file", "open folder"])
def test_what_a_stranger_laid_in_its_place_is_not_used(tmp_path: Path, planted: str) -> None:
    files = AttemptFiles(str(tmp_path / "attempt"))
    theirs = tmp_path / "theirs"
    if planted == "link to a folder":
        theirs.mkdir()
        files.folder.symlink_to(theirs)
    elif planted == "dangling link":
        files.folder.symlink_to(theirs)
    elif planted == "file":
        files.folder.write_text("x")
    else:
        files.folder.mkdir(mode=0o777)
        (files.folder / SPEC).symlink_to(tmp_path / "victim")
    files.create()
    files.write(SPEC, "mine")
    assert not files.folder.is_symlink()
    assert mode(files.folder) == 0o700
    assert not (tmp_path / "victim").exists()
    assert not theirs.exists() or not list(theirs.iterdir())


def test_a_link_laid_into_the_folder_is_neither_written_through_nor_read(tmp_path: Path) -> None:
    files = AttemptFiles(str(tmp_path / "attempt"))
    files.create()
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    for name in (REPORT, TOLD):
        files.path(name).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        files.read(REPORT)
    with pytest.raises(OSError, match="symbolic links"):
        files.append(TOLD, "x")
    with pytest.raises(FileExistsError):
        files.open_new(REPORT)
    files.write(REPORT, "mine")
    assert (files.read(REPORT), victim.read_text()) == ("mine", "theirs")


def test_a_pipe_in_a_files_place_does_not_hang_its_reader(tmp_path: Path) -> None:
    files = AttemptFiles(str(tmp_path))
    os.mkfifo(files.path(REPORT))
    with pytest.raises(ValueError, match="no plain file"):
        files.read(REPORT)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    files = AttemptFiles(str(tmp_path))
    files.write(REPORT, "before")
    with pytest.raises(UnicodeEncodeError):
        files.write(REPORT, "half\ud800")
    assert (files.names(), files.read(REPORT)) == ([REPORT], "before")


def test_the_packed_driver_is_compared_and_mended(tmp_path: Path) -> None:
    package, launcher = pack_driver(tmp_path)
    good = package.read_bytes()
    package.write_bytes(good[:-100])
    launcher.unlink()
    launcher.symlink_to(tmp_path / "theirs.py")
    assert pack_driver(tmp_path) == (package, launcher)
    assert package.read_bytes() == good
    assert not launcher.is_symlink()
    assert mode(package.parent) & 0o077 == 0


def test_what_lies_beside_the_launcher_is_not_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    package, launcher = pack_driver(tmp_path)
    (launcher.parent / "json.py").write_text("raise SystemExit('a stranger ran')")
    (launcher.parent / "runpy.py").write_text("raise SystemExit('a stranger ran')")
    done = subprocess.run(
        [sys.executable, str(launcher)],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "a stranger ran" not in done.stderr
    assert "IndexError" in done.stderr, "it came as far as asking for its spec"
