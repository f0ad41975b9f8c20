"""Which GraphFrames jar is refused, and what is said: stand-ins of it, compiled here."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from graphs import build, has_graphframes, tables
from pyspark.sql import SparkSession

from tidegate.driver.diagnose import diagnose
from tidegate.driver.kinds.graph.jar import called_by, require_graphframes
from tidegate.errors import SpecError

COORDINATE = r"io\.graphframes:graphframes-spark4_2\.13:0\.12\.3"
API = "package org.graphframes; public class GraphFramePythonAPI { %s }"
GRAPH = "package org.graphframes; public class GraphFrame { %s }"
STEP = "package org.graphframes; public class %s {}"
OLD = ("bfs", "find", "pageRank", "triplets")
MakeJar = Callable[..., str]


def needed() -> list[str]:
    python_side = pytest.importorskip("graphframes.classic.graphframe")
    return called_by(python_side)


@cache
def compiled(methods: tuple[str, ...], api: str) -> Path:
    """Compile a graph of these methods, each with a class of its own for what it returns."""
    folder = Path(mkdtemp(prefix="tidegate-stand-in-"))
    if shutil.which("javac") is None:
        pytest.skip("no javac on this machine")
    source = folder / "source"
    source.mkdir()
    bodies = [f"public Step_{name} {name}() {{ return null; }}" for name in methods]
    (source / "GraphFrame.java").write_text(GRAPH % " ".join(bodies))
    (source / "GraphFramePythonAPI.java").write_text(API % api)
    for name in methods:
        (source / f"Step_{name}.java").write_text(STEP % f"Step_{name}")
    classes = folder / "classes"
    files = [str(file) for file in source.iterdir()]
    subprocess.run(["javac", "-d", str(classes), *files], check=True, capture_output=True)
    return classes


@pytest.fixture
def with_jar(spark: SparkSession, tmp_path: Path) -> Iterator[MakeJar]:
    """Put a stand-in before everything else that the driver's calls load classes from."""
    if has_graphframes(spark):
        pytest.skip("the true jar is here")
    jvm = spark.sparkContext._jvm
    thread = jvm.Thread.currentThread()
    before = thread.getContextClassLoader()

    def make(
        methods: Sequence[str],
        version: str = "",
        *,
        name: str = "graphframes.jar",
        without: str = "",
        api: str = "",
    ) -> str:
        classes = compiled(tuple(methods), api)
        jar = tmp_path / name
        with zipfile.ZipFile(jar, "w") as archive:
            if version:
                manifest = f"Manifest-Version: 1.0\nImplementation-Version: {version}\n"
                archive.writestr("META-INF/MANIFEST.MF", manifest)
            for file in classes.rglob("*.class"):
                if file.stem != without:
                    archive.write(file, str(file.relative_to(classes)))
        urls = spark.sparkContext._gateway.new_array(jvm.java.net.URL, 1)
        urls[0] = jvm.java.io.File(str(jar)).toURI().toURL()
        thread.setContextClassLoader(jvm.java.net.URLClassLoader(urls, before))
        return str(jar)

    yield make
    thread.setContextClassLoader(before)


def test_the_python_side_calls_what_its_users_name() -> None:
    assert {"allPaths", "connectedComponents", "kCore", "pageRank"} <= set(needed())


@pytest.mark.parametrize("version", ["0.12.3", "0.12.4", "0.13.0-SNAPSHOT", ""])
def test_a_jar_of_the_packages_version_or_newer_is_taken(
    spark: SparkSession, with_jar: MakeJar, version: str
) -> None:
    with_jar(needed(), version)
    require_graphframes(spark)


@pytest.mark.parametrize("version", ["0.8.4", "0.12.2", "0.9.10-spark4"])
def test_an_older_jar_is_named_with_what_to_take(
    spark: SparkSession, with_jar: MakeJar, version: str
) -> None:
    with_jar(needed(), version)
    said = rf"of version {version.partition('-')[0]}\. Remove it and add {COORDINATE}"
    with pytest.raises(SpecError, match=said):
        build(tables(spark, [], []), "graphframes")


def test_its_file_name_tells_the_version_where_its_manifest_does_not(
    spark: SparkSession, with_jar: MakeJar
) -> None:
    with_jar(needed(), name="io.graphframes_graphframes-spark4_2.13-0.10.0.jar")
    with pytest.raises(SpecError, match=rf"of version 0\.10\.0\. .*{COORDINATE}"):
        require_graphframes(spark)


def test_a_jar_of_no_known_version_is_known_by_what_it_lacks(
    spark: SparkSession, with_jar: MakeJar
) -> None:
    with_jar(OLD)
    with pytest.raises(SpecError, match=rf"it lacks .*allPaths.*kCore.*{COORDINATE}"):
        require_graphframes(spark)


@pytest.mark.parametrize("lost", ["Step_kCore", "GraphFrame"])
def test_a_jar_that_lost_a_class_is_damaged(
    spark: SparkSession, with_jar: MakeJar, lost: str
) -> None:
    with_jar(needed(), "0.12.3", without=lost)
    with pytest.raises(SpecError, match=rf"classes are missing in it\. .*{COORDINATE}"):
        require_graphframes(spark)


def test_a_class_that_is_cut_off_is_damaged(
    spark: SparkSession, with_jar: MakeJar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(archive: zipfile.ZipFile, file: Path, name: str) -> None:
        archive.writestr(name, file.read_bytes()[:40])

    monkeypatch.setattr(zipfile.ZipFile, "write", cut)
    with_jar(needed(), "0.12.3")
    with pytest.raises(SpecError, match=rf"it cannot be loaded\. .*{COORDINATE}"):
        require_graphframes(spark)


def test_what_breaks_later_is_no_fault_of_the_job(spark: SparkSession, with_jar: MakeJar) -> None:
    """A jar for another Scala looks whole from outside; it fails when it is at work."""
    body = 'public String ATTR() { throw new NoSuchMethodError("scala.Predef.refArrayOps"); }'
    with_jar(needed(), "0.12.3", api=body)
    with pytest.raises(Exception, match="refArrayOps") as raised:
        build(tables(spark, [], []), "graphframes")
    failure = diagnose(raised.value, spark, None)
    assert (failure.type, "refArrayOps" in failure.message) == ("SpecError", True)
