"""The document that says which witness answers what is as its command makes it."""

from random import Random

import pytest
from pyspark.sql import SparkSession
from tests.driver.coverage import DOCUMENT, EXPECTATIONS, document, named, rows

LINES = DOCUMENT.read_text(encoding="utf-8").splitlines()
AGAIN = "python -m tests.driver.coverage makes it anew"
SAMPLE = 5


def test_the_coverage_table_has_a_line_for_each_expectation() -> None:
    body = LINES[-len(EXPECTATIONS) :]
    for line, config in zip(body, EXPECTATIONS, strict=True):
        assert line.startswith(named(config)), AGAIN


def test_lines_of_the_coverage_table_say_what_is_so(spark: SparkSession) -> None:
    asked = Random(2013).sample(EXPECTATIONS, SAMPLE)
    assert [line for line in rows(spark, asked) if line not in LINES] == [], AGAIN


@pytest.mark.slow
def test_the_coverage_table_says_what_is_so(spark: SparkSession) -> None:
    assert document(spark).splitlines() == LINES, AGAIN
