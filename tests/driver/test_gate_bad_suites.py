"""A suite that cannot be meant as it is written is refused before anything is read or written."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from tidegate.contract import Suite
from tidegate.driver.gate import open_gate
from tidegate.errors import SpecError

NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"


def one(**entry: Any) -> dict[str, Any]:
    return {"name": "s", "expectations": [{"type": NOT_NULL, "kwargs": {"column": "id"}, **entry}]}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "no list 'expectations'"),
        ({"expectations": {}}, "no list 'expectations'"),
        ({"expectations": ["not null"]}, "expectation 1: has no 'type'"),
        ({"expectations": [], "meta": {"tidegate": {"pii": "email"}}}, "list of column names"),
        ({"expectations": [], "meta": {"tidegate": {"pi": []}}}, r"unknown \['pi'\]"),
        ({"expectations": [], "meta": {"tidegate": {"data_docs": "no"}}}, "is true or false"),
        (one(meta={"tidegate": {"data_docs": True}}), r"unknown \['data_docs'\]"),
        (one(kwargs=["id"]), "'kwargs' is not an object"),
        (one(severity="fatal"), "severity 'fatal'; use one of critical, warning, info"),
        (one(meta={"tidegate": {"on_fail": "quarantine"}}), "on_fail is planned"),
        (one(meta={"tidegate": {"budget": 0.1}}), r"unknown \['budget'\]"),
        (
            one(type="expect_column_values_to_not_be_nul"),
            f"unknown expectation type .*nearest: {NOT_NULL}",
        ),
        (one(kwargs={}), f"{NOT_NULL} does not take these kwargs.*column"),
        (one(kwargs={"column": "id", "max": 3}), f"{NOT_NULL} does not take these kwargs.*max"),
        (one(kwargs={"column": "id", "mostly": 7}), "does not take these kwargs.*mostly"),
        (
            one(type=BETWEEN, kwargs={"column": "id", "max_value": {"$PARAMETER": "limt"}}),
            r"\['ds', 'limit'\].*limt",
        ),
    ],
)
def test_a_bad_suite_is_refused(spark: SparkSession, document: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told) as refused:
        open_gate(spark, Suite(name="flights", document=document), {"ds": "2013-01-01", "limit": 3})
    assert "suite 'flights'" in str(refused.value)
