"""What the lake says after three days, beside what DuckDB makes of the same files."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
from pyspark.sql import SparkSession

FIRST, LAST = "1995-01-01", "1995-01-03"
PRICED = f"""CREATE VIEW priced AS
SELECT o_orderdate AS ds, o_orderkey, o_custkey, o_orderpriority,
    sum(l_extendedprice * (1 - l_discount)) AS revenue, count(*) AS lines
FROM orders JOIN lineitem ON l_orderkey = o_orderkey
WHERE o_orderdate BETWEEN DATE '{FIRST}' AND DATE '{LAST}'
GROUP BY ALL"""
BUYERS = "priced JOIN customer ON c_custkey = o_custkey"
NATIONS = f"{BUYERS} JOIN nation ON n_nationkey = c_nationkey"
DAY = "CAST(ds AS VARCHAR)"
EXPECTED = {
    "priced_orders": f"SELECT {DAY}, o_orderkey, revenue, lines FROM priced",
    "nation_revenue": f"SELECT {DAY}, n_name, sum(revenue), count(*) FROM {NATIONS} GROUP BY ALL",
    "priorities": f"SELECT {DAY}, o_orderpriority, count(*), sum(lines) FROM priced GROUP BY ALL",
    "segments": f"SELECT {DAY}, segment, count(c_custkey), coalesce(sum(worth), 0) FROM ("
    "SELECT days.ds, segment, c_custkey, CASE WHEN c_custkey IS NOT NULL THEN revenue END AS worth "
    "FROM (SELECT DISTINCT ds FROM priced) days, (VALUES ('BUILDING'), ('MACHINERY')) s(segment) "
    f"LEFT JOIN (SELECT * FROM {BUYERS}) b ON b.ds = days.ds AND c_mktsegment = segment"
    ") GROUP BY ALL",
    "top_nations": "SELECT n_name, sum(revenue), count(*), count(DISTINCT ds), "
    f"rank() OVER (ORDER BY sum(revenue) DESC) FROM {NATIONS} GROUP BY n_name",
}
PUBLISHED = {
    "priced_orders": "ds, o_orderkey, revenue, lines",
    "nation_revenue": "ds, nation, revenue, orders",
    "priorities": "ds, priority, orders, lines",
    "segments": "ds, segment, orders, revenue",
    "top_nations": "nation, revenue, orders, days, place",
}
Rows = Mapping[str, list[tuple[object, ...]]]


def expected(landing: Path) -> Rows:
    """Return the rows of every table, as DuckDB computes them from the landed files."""
    database = duckdb.connect()
    for file in sorted(landing.glob("*.parquet")):
        database.execute(f"CREATE VIEW {file.stem} AS FROM read_parquet('{file}')")
    database.execute(PRICED)
    rows = {name: database.sql(query).fetchall() for name, query in EXPECTED.items()}
    database.close()
    return {name: sorted(found) for name, found in rows.items()}


def published(spark: SparkSession) -> Rows:
    """Return the rows of every table, as readers of the lake see them."""
    rows = {}
    for name, columns in PUBLISHED.items():
        table = spark.sql(f"SELECT {columns} FROM lake.tpch.{name}")
        rows[name] = sorted(tuple(row) for row in table.collect())
    return rows
