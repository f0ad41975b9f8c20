"""The gate: a Great Expectations suite judged on what was written, the cheapest witness first."""

from collections.abc import Mapping
from logging import CRITICAL, captureWarnings, getLogger
from os import environ
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from tidegate.contract import Judgement, Suite
from tidegate.driver.gate.document import check
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.gate.pii import check_pii
from tidegate.driver.gate.rows import RowRule

if TYPE_CHECKING:
    from tidegate.driver.gate.suite_gate import SuiteGate


class Gate(Protocol):
    """What a stage's output must pass before anybody reads it."""

    def plan(self, schema: StructType) -> None:
        """Plan for data of this schema beside whatever follows; return at once.

        :raises SpecError: if the suite cannot be judged on such data.
        """

    def judge(self, staged: DataFrame, facts: FileFacts | None = None) -> Judgement:
        """Give the verdict on what was written.

        :param staged: reads back what was written.
        :param facts: what the files say of themselves, if that is known: no query is made for it.
        """

    def data_docs(self) -> str:
        """Return the last judgement as Great Expectations' own HTML page, if the suite asks."""

    def row_rules(self) -> list[RowRule]:
        """Return the critical rules that rows broke by themselves, of the last judgement."""


class OpenGate:
    """The gate of a suite without expectations: all passes, Great Expectations is not imported."""

    def __init__(self, spark: SparkSession, suite: Suite) -> None:
        self._spark = spark
        self._suite = suite

    def plan(self, schema: StructType) -> None:
        """Plan nothing.

        :raises SpecError: if a ``pii`` name of the suite is none of the columns.
        """
        check_pii(self._suite, self._spark, schema)

    def judge(self, staged: DataFrame, facts: FileFacts | None = None) -> Judgement:
        """Pass."""
        return Judgement(verdict="pass")

    def data_docs(self) -> str:
        """Return nothing: nothing was judged."""
        return ""

    def row_rules(self) -> list[RowRule]:
        """Return none."""
        return []


def open_gate(spark: SparkSession, suite: Suite, parameters: Mapping[str, object]) -> Gate:
    """Return the gate that ``suite`` describes.

    :param parameters: the values that ``{"$PARAMETER": name}`` in the suite stands for.
    :raises SpecError: if the document is no suite, names an unknown expectation type, severity or
        parameter, or gives an expectation arguments that it does not take.
    """
    check(suite)
    if not suite.document["expectations"]:
        return OpenGate(spark, suite)
    return _suite_gate()(spark, suite, parameters)


def preload(suite: Suite) -> None:
    """Import what judging ``suite`` needs: six seconds, in a thread while Spark starts."""
    if suite.document.get("expectations"):
        _suite_gate()


def _suite_gate() -> type["SuiteGate"]:
    environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # It logs every failed metric, values included.
    getLogger("great_expectations").setLevel(CRITICAL)
    from tidegate.driver.gate.suite_gate import SuiteGate

    captureWarnings(False)  # importing it turned this on for the whole process
    return SuiteGate
