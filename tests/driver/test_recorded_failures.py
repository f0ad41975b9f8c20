"""Spark still fails as it did when ``tests/recorded/failures.json`` was recorded."""

from pathlib import Path
from typing import Any

import pytest
from provocations import ERRORS
from pyspark.sql import SparkSession
from record_failures import record, recorded

from tidegate.driver.diagnose import decisive_of
from tidegate.rules import Fact

RECORDED = recorded()


def names_and_conditions(failure: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [(fact["name"], fact["condition"], fact["sqlstate"]) for fact in failure["chain"]]


def test_every_provocation_is_recorded() -> None:
    assert {each["provoked"]: each["error"] for each in RECORDED} == ERRORS


@pytest.mark.parametrize("then", RECORDED, ids=lambda each: each["provoked"])
def test_the_recorded_cause_decides(then: dict[str, Any]) -> None:
    chain = [Fact(**fact) for fact in then["chain"]]
    assert decisive_of(chain) == chain[then["decisive"]]


@pytest.mark.parametrize("then", RECORDED, ids=lambda each: each["provoked"])
def test_spark_fails_again_as_recorded(
    then: dict[str, Any], spark: SparkSession, tmp_path: Path
) -> None:
    now = record(then["provoked"], spark, tmp_path)
    assert names_and_conditions(now) == names_and_conditions(then)
    assert now["decisive"] == then["decisive"]
