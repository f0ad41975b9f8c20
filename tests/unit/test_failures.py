"""The rules of failure, tried on chains written after those that Spark 4.1 was seen to raise."""

import pytest

from tidegate.errors import (
    ClusterUnavailable,
    DataError,
    JobError,
    ResourceExhausted,
    SpecError,
)
from tidegate.failures import Fact, is_machinery, rule_of, rule_of_tail

ABORTED = Fact("SparkException", "Job aborted due to stage failure: Task 0 in stage 1.0 failed")
CHAINS = [
    ([Fact("SparkNumberFormatException", "cast", "CAST_INVALID_INPUT", "22018")], DataError),
    ([Fact("SparkArithmeticException", "by zero", "DIVIDE_BY_ZERO", "22012")], DataError),
    ([Fact("SparkRuntimeException", "null", "NULL_DATA_SOURCE", "23000")], DataError),
    ([ABORTED, Fact("SparkException", "row", "MALFORMED_RECORD_IN_PARSING", "22023")], DataError),
    ([Fact("SparkException", "read", "FAILED_READ_FILE.NO_HINT", "KD001")], DataError),
    ([ABORTED, Fact("ChecksumException", "Checksum error: file:/x")], DataError),
    ([ABORTED, Fact("RuntimeException", "x is not a Parquet file")], DataError),
    ([ABORTED, Fact("FileNotFoundException", "File x does not exist")], DataError),
    ([Fact("AnalysisException", "c", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703")], JobError),
    ([Fact("AnalysisException", "t", "TABLE_OR_VIEW_NOT_FOUND", "42P01")], JobError),
    ([Fact("AnalysisException", "x", "UNSUPPORTED_FEATURE", "0A000")], JobError),
    ([Fact("PythonException", "boom", "FAILED_EXECUTE_UDF", "39000")], DataError),
    ([Fact("ParseException", "at 'FORM'", "PARSE_SYNTAX_ERROR", "42601")], SpecError),
    ([ABORTED, Fact("AccessControlException", "Permission denied: user=x")], SpecError),
    ([ABORTED, Fact("IOException", "Mkdirs failed to create file:/x")], SpecError),
    ([ABORTED, Fact("OutOfMemoryError", "Java heap space")], ResourceExhausted),
    ([ABORTED, Fact("SparkException", "Python worker exited unexpectedly")], ResourceExhausted),
    ([ABORTED, Fact("IOException", "No space left on device")], ResourceExhausted),
    ([Fact("SparkException", "Total size is bigger than maxResultSize")], ResourceExhausted),
    ([Fact("SparkException", "executor exited with code 137")], ResourceExhausted),
    ([Fact("SparkException", "limit", "X", "54000")], ResourceExhausted),
    ([Fact("SparkException", "busy", "X", "53200")], ResourceExhausted),
    ([ABORTED, Fact("ConnectException", "Connection refused")], ClusterUnavailable),
    ([ABORTED, Fact("UnknownHostException", "nowhere")], ClusterUnavailable),
    ([ABORTED, Fact("SocketTimeoutException", "Read timed out")], ClusterUnavailable),
    ([Fact("SparkException", "ExecutorLostFailure (executor 1 exited)")], ClusterUnavailable),
    ([Fact("SparkException", "FetchFailed(BlockManagerId(1))")], ClusterUnavailable),
    ([Fact("SparkException", "All masters are unresponsive! Giving up.")], ClusterUnavailable),
    ([Fact("SparkException", "concurrent", "X", "40000")], ClusterUnavailable),
    ([Fact("SparkException", "io", "X", "58030")], ClusterUnavailable),
]


@pytest.mark.parametrize(("chain", "error"), CHAINS)
def test_a_failure_is_known_for_what_it_is(chain: list[Fact], error: type) -> None:
    rule = rule_of(chain, chain[-1])
    assert rule is not None
    assert rule.error is error


def test_what_no_rule_knows_is_left_to_the_caller() -> None:
    unknown = Fact("ValueError", "nothing of Spark's")
    assert rule_of([unknown], unknown) is None
    assert rule_of_tail(["INFO SparkContext: Successfully stopped"]) is None


@pytest.mark.parametrize(
    ("fact", "machinery"),
    [
        (Fact("X", "cast 'OutOfMemoryError' to INT", "CAST_INVALID_INPUT", "22018"), False),
        (Fact("X", "cannot read", "FAILED_READ_FILE", "KD001"), True),
        (Fact("X", "internal", "INTERNAL_ERROR", "XX000"), True),
        (Fact("Py4JJavaError", "java.lang.OutOfMemoryError"), True),
        (Fact("Py4JJavaError", "Job 3 cancelled because SparkContext was shut down"), True),
        (Fact("Py4JJavaError", "StackOverflowError in Pattern"), False),
    ],
)
def test_the_machinery_is_told_from_the_data(fact: Fact, machinery: bool) -> None:
    assert is_machinery(fact) is machinery


def test_the_line_that_decides_is_named() -> None:
    found = rule_of_tail(["INFO x", "java.lang.OutOfMemoryError: Java heap space ", "INFO y"])
    assert found is not None
    assert (found[0].error, found[1]) == (
        ResourceExhausted,
        "java.lang.OutOfMemoryError: Java heap space",
    )
