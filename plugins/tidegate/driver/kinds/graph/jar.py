"""Whether the GraphFrames jar on the driver is the one that the Python package calls."""

import re
from collections.abc import Iterable
from inspect import getsource
from types import ModuleType
from typing import Any, NoReturn

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from tidegate.driver.jvm import jvm_of
from tidegate.errors import SpecError

_API = "org.graphframes.GraphFramePythonAPI"
_GRAPH = "org.graphframes.GraphFrame"
_CALL = re.compile(r"\._jvm_graph\.(\w+)\(")
_NAME = re.compile(r"\.(\w+)\(")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MISSING = "java.lang.ClassNotFoundException"


def require_graphframes(spark: SparkSession) -> None:
    """Make sure that GraphFrames is there, its Python package and a jar that goes with it.

    :raises SpecError: if one is missing, or the jar is older or damaged.
    """
    try:
        import graphframes
        from graphframes.classic import graphframe as python_side
    except ImportError as missing:
        raise SpecError(
            "engine 'graphframes' needs the Python package graphframes-py: pip install it "
            "(the package named graphframes is an old one)",
            quote="",
        ) from missing
    jar = Jar(spark, str(graphframes.__version__))
    jar.require_version()
    jar.require_methods(called_by(python_side))


def called_by(python_side: ModuleType) -> list[str]:
    """Return the methods of a JVM's graph that the Python package calls, read from its source."""
    return sorted(set(_CALL.findall(getsource(python_side))))


class Jar:
    """The GraphFrames jar on the driver's class path.

    :param wanted: the version of the Python package.
    :raises SpecError: if there is none, or it cannot be loaded.
    """

    def __init__(self, spark: SparkSession, wanted: str) -> None:
        self._jvm = jvm_of(spark)
        self._wanted = wanted
        try:
            self._api = self._loaded(_API)
        except Py4JJavaError as error:
            if error.java_exception.getClass().getName() != _MISSING:
                self._refuse("it cannot be loaded", error)
            raise SpecError(
                f"engine 'graphframes' needs its jar: {self._advice} (or use engine 'graphx', "
                "which needs none)",
                quote="",
            ) from error

    def require_version(self) -> None:
        """Compare the version in the jar's manifest, or else in its name, with the package's.

        Of a jar that tells none, its methods have to say it.

        :raises SpecError: if it is older.
        """
        told = str(self._api.getPackage().getImplementationVersion() or self._file)
        found = _VERSION.search(told)
        needed = _VERSION.search(self._wanted)
        if found and needed and _numbers(found) < _numbers(needed):
            self._refuse(f"it is of version {found[0]}")

    def require_methods(self, names: Iterable[str]) -> None:
        """Look for every method that the Python package calls, and what it returns.

        :raises SpecError: if one is missing, or a class that it names.
        """
        try:
            # One call: a jar that lacks a class of a signature fails in it.
            methods = self._loaded(_GRAPH).getMethods()
            signatures = self._jvm.scala.runtime.ScalaRunTime.stringOf(methods)
        except Py4JJavaError as error:
            self._refuse("classes are missing in it", error)
        there = set(_NAME.findall(signatures))
        missing = [name for name in names if name not in there]
        if missing:
            self._refuse(f"it lacks {', '.join(missing)}")

    @property
    def _advice(self) -> str:
        coordinate = f"io.graphframes:graphframes-spark4_2.13:{self._wanted}"
        return f"add {coordinate} to spark.jars.packages, or a jar of it to spark.jars"

    @property
    def _file(self) -> str:
        source = self._api.getProtectionDomain().getCodeSource()
        if source is None:
            return ""
        return str(source.getLocation().getPath()).rpartition("/")[2]

    def _loaded(self, name: str) -> Any:
        return self._jvm.Thread.currentThread().getContextClassLoader().loadClass(name)

    def _refuse(self, what: str, error: Py4JJavaError | None = None) -> NoReturn:
        raise SpecError(
            "the GraphFrames jar on the driver does not go with the Python package graphframes-py "
            f"{self._wanted}: {what}. Remove it and {self._advice}",
            quote="",
        ) from error


def _numbers(version: re.Match[str]) -> list[int]:
    return [int(part) for part in version.groups()]
