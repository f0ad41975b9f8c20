"""The rules of failure, tried on the chains of causes that Spark 4.1 was recorded to raise.

``tests/recorded/failures.json`` holds them; ``tests/driver/record_failures.py`` records them anew.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.errors import ClusterUnavailable, ResourceExhausted, SpecError
from tidegate.failures import is_machinery, rule_of, rule_of_tail
from tidegate.rules import Fact

CORPUS = Path(__file__).parents[1] / "recorded" / "failures.json"
RECORDED: list[dict[str, Any]] = json.loads(CORPUS.read_text(encoding="utf-8"))["failures"]
ABORTED = Fact("SparkException", "Job aborted due to stage failure: Task 0 in stage 1.0 failed")
BY_HAND = [
    # A user who may not write: the tests may run as root.
    ([ABORTED, Fact("AccessControlException", "Permission denied: user=x")], SpecError),
    # A full disk, and a heap that is full inside a task: both would end the tests' own session.
    ([ABORTED, Fact("IOException", "No space left on device")], ResourceExhausted),
    ([ABORTED, Fact("OutOfMemoryError", "Java heap space")], ResourceExhausted),
    # Executors and masters of their own: a local session has none to lose.
    ([Fact("SparkException", "executor exited with code 137")], ResourceExhausted),
    # What a local Spark says that is about to die of the memory that a job's collect() takes.
    ([Fact("SparkException", "Lost task 0.0: TaskResultLost (result lost)")], ResourceExhausted),
    ([Fact("SparkException", "ExecutorLostFailure (executor 1 exited)")], ClusterUnavailable),
    ([Fact("SparkException", "FetchFailed(BlockManagerId(1))")], ClusterUnavailable),
    ([Fact("SparkException", "All masters are unresponsive! Giving up.")], ClusterUnavailable),
    # Before there is a session, nothing but a text.
    ([Fact("Py4JJavaError", "X: [INVALID_DRIVER_MEMORY] System memory 1 must be")], SpecError),
    # A store that takes a connection and never answers: no test waits that long.
    ([ABORTED, Fact("SocketTimeoutException", "Read timed out")], ClusterUnavailable),
    # SQLSTATEs of Spark's own list that no query here could bring about.
    ([Fact("SparkException", "limit", "X", "54000")], ResourceExhausted),
    ([Fact("SparkException", "busy", "X", "53200")], ResourceExhausted),
    ([Fact("SparkException", "concurrent", "X", "40000")], ClusterUnavailable),
    ([Fact("SparkException", "io", "X", "58030")], ClusterUnavailable),
]
"""What cannot be provoked on a local session is written by hand."""


@pytest.mark.parametrize("failure", RECORDED, ids=lambda each: each["provoked"])
def test_a_recorded_failure_is_known_for_what_it_is(failure: dict[str, Any]) -> None:
    chain = [Fact(**fact) for fact in failure["chain"]]
    rule = rule_of(chain, chain[failure["decisive"]])
    known = rule.error.__name__ if rule else None
    assert known == failure["error"]


def test_the_corpus_is_wide() -> None:
    errors = {failure["error"] for failure in RECORDED}
    assert len(RECORDED) >= 45
    assert {"SpecError", "JobError", "DataError", "ResourceExhausted"} <= errors
    assert {"ClusterUnavailable", None} <= errors


@pytest.mark.parametrize(("chain", "error"), BY_HAND)
def test_a_failure_written_by_hand_is_known_for_what_it_is(chain: list[Fact], error: type) -> None:
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


def test_what_java_says_is_told_without_py4js_part_and_its_trace() -> None:
    from tidegate.driver.diagnose import chain_of

    told = "An error occurred while calling None.\n: X: [INVALID_DRIVER_MEMORY] too little\n\tat Y"
    (fact,) = chain_of(RuntimeError(told), None)
    assert fact.text == "X: [INVALID_DRIVER_MEMORY] too little"
    (fact,) = chain_of(RuntimeError("plain: text"), None)
    assert fact.text == "plain: text"


def test_an_error_of_a_library_that_sounds_like_a_missing_class_is_the_jobs() -> None:
    raised = Fact("NoSuchTableError", "orders")  # SQLAlchemy's
    assert rule_of([raised], raised) is None
