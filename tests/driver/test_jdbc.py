"""Reading a real PostgreSQL by JDBC: rows, what the report says, and where no password is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from postgres import PASSWORD, USER, Postgres, is_missing, serving
from pyspark.sql import DataFrame, SparkSession
from specs import spec

from tidegate.contract import JdbcRead, StageSpec, parse_read, password_key, read_as_json
from tidegate.driver.inputs import Opened, open_inputs
from tidegate.errors import ClusterUnavailable, DataError, SpecError

pytestmark = pytest.mark.skipif(is_missing(), reason="needs PostgreSQL: apt-get install postgresql")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with serving() as made:
        made.run(
            "CREATE TABLE orders AS SELECT n AS id, n * 1.5 AS amount, "
            "date '2013-01-01' + n AS day FROM generate_series(1, 100) n"
        )
        yield made


@pytest.fixture(autouse=True)
def password(spark: SparkSession) -> Iterator[None]:
    spark.conf.set(password_key("shop"), PASSWORD)
    yield
    spark.conf.unset(password_key("shop"))


def opened(spark: SparkSession, server: Postgres, **fields: Any) -> Opened:
    read = parse_read("orders", {"jdbc": "shop", **fields})
    assert isinstance(read, JdbcRead)
    given = {"url": server.url, "user": USER, "driver": "org.postgresql.Driver"}
    return open_inputs(spark, (replace(read, **{**given, **_of_connection(fields)}),))


def _of_connection(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("url", "user", "driver") if name in fields}


def frame(found: Opened) -> DataFrame:
    made = found.offered["orders"]
    assert isinstance(made, DataFrame)
    return made


def test_a_table_is_read_as_it_is_and_the_report_says_when(
    spark: SparkSession, server: Postgres
) -> None:
    found = opened(spark, server, table="orders")
    assert frame(found).count() == 100
    (seen,) = found.inputs
    assert (seen.source, seen.snapshot_id) == ("shop: orders", None)
    assert str(seen.state).startswith("no snapshot; opened 20")
    server.run("INSERT INTO orders VALUES (101, 0, '2014-01-01')")
    assert frame(found).count() == 101, "nothing pins a database"
    server.run("DELETE FROM orders WHERE id = 101")


def test_a_query_is_read_also_in_parts(spark: SparkSession, server: Postgres) -> None:
    query = "SELECT id, amount FROM orders WHERE id > 40;"
    whole = frame(opened(spark, server, query=query))
    assert (whole.count(), whole.columns, whole.rdd.getNumPartitions()) == (60, ["id", "amount"], 1)
    parts = {"partition_column": "id", "bounds": [50, 90], "partitions": 4}
    in_parts = frame(opened(spark, server, query=query, **parts))
    assert (in_parts.count(), in_parts.rdd.getNumPartitions()) == (60, 4)
    days = {"partition_column": "day", "bounds": ["2013-01-01", "2013-04-01"], "partitions": 3}
    by_day = frame(opened(spark, server, table="orders", options={"fetchsize": 10}, **days))
    assert (by_day.count(), by_day.rdd.getNumPartitions()) == (100, 3)


def test_a_retry_is_the_same_work_and_another_query_is_not(
    spark: SparkSession, server: Postgres
) -> None:
    first = opened(spark, server, table="orders")
    assert opened(spark, server, table="orders").states == first.states
    assert opened(spark, server, query="SELECT 1 AS x").states != first.states


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"table": "nope"}, DataError, "cannot read nope: .*nope.* does not exist"),
        ({"query": "SELEC 1"}, DataError, "cannot read the query: .*syntax error"),
        ({"table": "orders", "user": "nobody"}, SpecError, "refuses its user or password"),
        (
            {"table": "orders", "url": "jdbc:postgresql://127.0.0.1:1/x"},
            ClusterUnavailable,
            "connection 'shop': the database did not answer: .*refused",
        ),
        (
            {"table": "orders", "driver": "org.nope.Driver"},
            SpecError,
            r"has no JDBC driver for jdbc:postgresql: add its package to spark.jars.packages",
        ),
    ],
)
def test_what_cannot_be_read_says_whose_fault_it_is(
    spark: SparkSession, server: Postgres, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as told:
        opened(spark, server, **fields)
    assert PASSWORD not in str(told.value)


def test_no_password_is_in_spec_plan_or_read(
    spark: SparkSession, server: Postgres, tmp_path: Path
) -> None:
    found = opened(spark, server, table="orders")
    assert PASSWORD not in frame(found)._jdf.queryExecution().toString()
    read = parse_read("orders", {"jdbc": "shop", "table": "orders"})
    at = spec(reads=(read,), conf={password_key("shop"): PASSWORD})
    assert PASSWORD not in at.without_secrets().to_json()
    assert StageSpec.from_json(at.to_json()).reads == (read,)
    assert PASSWORD not in json.dumps(read_as_json(read))
    assert PASSWORD not in repr(at)
