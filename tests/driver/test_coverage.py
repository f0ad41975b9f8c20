"""The document that says which witness answers what is as its command makes it."""

from pyspark.sql import SparkSession
from tests.driver.coverage import DOCUMENT, document


def test_the_coverage_table_says_what_is_so(spark: SparkSession) -> None:
    assert DOCUMENT.read_text(encoding="utf-8").splitlines() == document(spark).splitlines(), (
        "python -m tests.driver.coverage makes it anew"
    )
