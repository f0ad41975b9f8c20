"""The gate: a Great Expectations suite judged in the same pass that writes the data."""

from collections.abc import Mapping
from logging import CRITICAL, captureWarnings, getLogger
from os import environ
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import Judgement, Suite
from tidegate.driver.gate.document import check
from tidegate.driver.gate.pii import check_pii

if TYPE_CHECKING:
    from tidegate.driver.gate.suite_gate import SuiteGate


class Gate(Protocol):
    """What a stage's output must pass before anybody reads it."""

    def observe(self, frame: DataFrame) -> DataFrame:
        """Attach to ``frame`` all that one pass can measure; write just the result of this."""

    def judge(self, staged: DataFrame, rows: int | None = None) -> Judgement:
        """Give the verdict on what was written.

        :param staged: reads back what was written; only what the pass could not measure reads it.
        :param rows: how many rows the store says were written, if it knows.
        """

    def data_docs(self) -> str:
        """Return the last judgement as Great Expectations' own HTML page, if one was given."""


class OpenGate:
    """The gate of a suite without expectations: all passes, Great Expectations is not imported."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def observe(self, frame: DataFrame) -> DataFrame:
        """Return ``frame`` itself.

        :raises SpecError: if a ``pii`` name of the suite is none of its columns.
        """
        check_pii(self._suite, frame)
        return frame

    def judge(self, staged: DataFrame, rows: int | None = None) -> Judgement:
        """Pass."""
        return Judgement(verdict="pass")

    def data_docs(self) -> str:
        """Return nothing: nothing was judged."""
        return ""


def open_gate(spark: SparkSession, suite: Suite, parameters: Mapping[str, object]) -> Gate:
    """Return the gate that ``suite`` describes.

    :param parameters: the values that ``{"$PARAMETER": name}`` in the suite stands for.
    :raises SpecError: if the document is no suite, names an unknown expectation type, severity or
        parameter, or gives an expectation arguments that it does not take.
    """
    check(suite)
    if not suite.document["expectations"]:
        return OpenGate(suite)
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
