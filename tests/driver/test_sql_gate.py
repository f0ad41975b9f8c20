"""What a SQL job may hold: all of SELECT, what prepares for it, and nothing that writes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tidegate.driver.jvm import current_snapshot, plans
from tidegate.driver.kinds import sql
from tidegate.driver.kinds.allowed import Statement, check_meaning
from tidegate.errors import SpecError

REAL = "lake.sqlgate.real"
PARAMS = {
    "one": 1,
    "text": "x'; DROP TABLE lake.sqlgate.real; --",
    "nothing": None,
    "col": "a",
    "view": "t",
    "table": REAL,
    "truth": True,
    "half": 0.5,
    "list": [1, 2],
}

READS = {
    "select": "SELECT a, b + 1 AS c, * FROM t WHERE a > 1 AND b IN (1) ORDER BY a LIMIT 3 OFFSET 1",
    "joins": "SELECT t.* FROM t JOIN u USING (a) LEFT JOIN u AS v ON t.a = v.a CROSS JOIN u AS w",
    "semi, anti": "SELECT * FROM t LEFT SEMI JOIN u ON t.a = u.a LEFT ANTI JOIN u w ON t.a = w.c",
    "natural full join": "SELECT * FROM t NATURAL FULL JOIN u",
    "from several": "SELECT t.a FROM t, u WHERE t.a = u.a",
    "union": "SELECT a FROM t UNION SELECT a FROM u UNION ALL SELECT 1",
    "intersect, except": "SELECT a FROM t INTERSECT SELECT a FROM u EXCEPT ALL SELECT 3",
    "distinct": "SELECT DISTINCT a FROM t DISTRIBUTE BY a SORT BY a",
    "cluster by": "SELECT a FROM t CLUSTER BY a",
    "group by": "SELECT a, count(*) FILTER (WHERE b > 1), sum(DISTINCT b) FROM t GROUP BY ALL "
    "HAVING count(*) > 0",
    "grouping sets": "SELECT a, b, grouping_id() FROM t GROUP BY GROUPING SETS ((a), (a, b), ())",
    "rollup, cube": "SELECT a, b, count(*) FROM t GROUP BY ROLLUP (a), CUBE (b)",
    "order by all": "SELECT * FROM t ORDER BY ALL",
    "window": "SELECT rank() OVER (PARTITION BY a ORDER BY b), sum(b) OVER w FROM t "
    "WINDOW w AS (ORDER BY a ROWS 2 PRECEDING)",
    "window subquery": "SELECT sum(b) OVER w FROM t WINDOW w AS (ORDER BY (SELECT 1))",
    "rank filter": "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY a ORDER BY b) AS n "
    "FROM t) WHERE n = 1",
    "lateral view": "SELECT x FROM t LATERAL VIEW OUTER explode(array(a, b)) e AS x",
    "lateral join": "SELECT * FROM t, LATERAL (SELECT b + t.a AS m FROM t AS s WHERE s.a = t.a)",
    "lateral function": "SELECT * FROM t, LATERAL explode(array(t.a)) AS e(x)",
    "pivot": "SELECT * FROM (SELECT a, b FROM t) PIVOT (sum(b) FOR a IN (1, 2))",
    "unpivot": "SELECT * FROM t UNPIVOT (v FOR k IN (a, b))",
    "sample": "SELECT * FROM t TABLESAMPLE (50 PERCENT) REPEATABLE (1)",
    "sample of rows": "SELECT * FROM t TABLESAMPLE (2 ROWS)",
    "bucket": "SELECT * FROM t TABLESAMPLE (BUCKET 1 OUT OF 2)",
    "values": "VALUES (1, 'a'), (2, 'b')",
    "inline table": "SELECT x + :one AS y FROM VALUES (1), (:one) AS v(x)",
    "inline functions": "SELECT x FROM VALUES (current_date()), (date'2020-01-01') AS v(x)",
    "values join": "SELECT * FROM t JOIN (VALUES (1), (2)) AS v(a) USING (a)",
    "table": "TABLE t",
    "from first": "FROM t SELECT a",
    "range": "SELECT * FROM range(0, 5, 2)",
    "explode": "SELECT * FROM explode(sequence(1, 3))",
    "stack": "SELECT * FROM stack(2, 1, 'a', 2, 'b')",
    "inline": "SELECT inline(array(struct(1 AS x, 2 AS y)))",
    "json_tuple": "SELECT json_tuple('{\"x\": 1}', 'x')",
    "posexplode": "SELECT posexplode(array(1, 2)) AS (p, x)",
    "keywords": "SELECT * FROM sql_keywords() LIMIT 1",
    "scalar subquery": "SELECT (SELECT max(a) FROM u) AS m, a FROM t",
    "exists": "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
    "in": "SELECT * FROM t WHERE (a, b) IN (SELECT a, c FROM u) OR a NOT IN (SELECT 7)",
    "with": "WITH x AS (SELECT a FROM t), y AS (WITH z AS (SELECT 1 AS a) SELECT * FROM z) "
    "SELECT * FROM x JOIN y USING (a)",
    "recursive": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) "
    "SELECT * FROM r",
    "hints": "SELECT /*+ BROADCAST(u), REPARTITION(3) */ * FROM t JOIN u USING (a)",
    "rebalance": "SELECT /*+ REBALANCE(a) */ * FROM t",
    "coalesce": "SELECT /*+ COALESCE(1) */ * FROM t",
    "pipe": "FROM t |> WHERE a > 0 |> SELECT a, b |> EXTEND a * 2 AS c |> SET b = 0 |> DROP c "
    "|> ORDER BY a |> LIMIT 2",
    "pipe aggregate": "FROM t |> AGGREGATE sum(b) AS s GROUP BY a |> AS q "
    "|> JOIN u ON q.a = u.a |> SELECT s",
    "pipe sets": "FROM t |> SELECT a |> UNION ALL SELECT a FROM u |> TABLESAMPLE (90 PERCENT)",
    "pipe pivot": "SELECT a, b FROM t |> PIVOT (sum(b) FOR a IN (1, 2))",
    "identifier": "SELECT IDENTIFIER(:col) FROM IDENTIFIER(:view)",
    "identifier of a table": "SELECT count(*) AS n FROM IDENTIFIER(:table)",
    "identifier of a function": "SELECT IDENTIFIER('abs')(-1) AS x",
    "parameters": "SELECT :one AS one, :text AS text, :nothing AS nothing, :truth AS truth, "
    ":half AS half FROM t LIMIT :one",
    "lambdas": "SELECT transform(array(a, b), x -> x + 1), "
    "aggregate(array(1, 2), 0, (s, x) -> s + x) FROM t",
    "structs": "SELECT s.*, m['k'] FROM (SELECT struct(1 AS x, 2 AS y) AS s, map('k', 1) AS m)",
    "star except": "SELECT * EXCEPT (b) FROM t",
    "case": "SELECT CASE a WHEN 1 THEN 'x' ELSE CAST(a AS STRING) END, try_cast('x' AS INT), "
    "date'2020-01-01' + INTERVAL 1 DAY, try_divide(1, 0), coalesce(NULL, 1) FROM t",
    "lateral alias": "SELECT a AS x, x + 1 AS y FROM t",
    "variant": "SELECT parse_json('{\"a\": 1}'):a::int",
    "within group": "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), mode() WITHIN GROUP "
    "(ORDER BY a), listagg(CAST(a AS STRING)) FROM t",
    "iceberg table": f"SELECT * FROM {REAL}",
    "time travel": f"SELECT * FROM {REAL} VERSION AS OF {{snapshot}}",
    "timestamp travel": f"SELECT * FROM {REAL} TIMESTAMP AS OF current_timestamp()",
    "travel by subquery": f"SELECT * FROM {REAL} TIMESTAMP AS OF (SELECT current_timestamp())",
    "metadata": f"SELECT * FROM {REAL}.snapshots",
    "branch": f"SELECT * FROM {REAL}.branch_main",
    "iceberg function": "SELECT lake.system.bucket(4, a) FROM t",
    "file": "SELECT * FROM csv.`{csv}`",
    "words in strings": "SELECT 'INSERT INTO x; DROP TABLE y' `reflect; --` /* CALL */ -- DROP\n",
}
# Functions without parameters: Iceberg's parser (1.12) fails on those that have some.
PREPARED = {
    "view": "CREATE OR REPLACE TEMPORARY VIEW w1 AS SELECT a FROM t; SELECT * FROM w1",
    "view over view": "CREATE TEMP VIEW w2 AS SELECT 1 AS a; CREATE TEMP VIEW w3 AS "
    "SELECT * FROM w2 WHERE a IN (SELECT a FROM t); SELECT * FROM w3",
    "view of a param": "CREATE OR REPLACE TEMP VIEW w4 AS SELECT :one AS a; SELECT * FROM w4",
    "variable": "DECLARE OR REPLACE VARIABLE v1 INT DEFAULT 1; SET VAR v1 = (SELECT max(a) FROM t);"
    "SELECT v1 AS a",
    "several variables": "DECLARE OR REPLACE v3 INT; DECLARE OR REPLACE v4 INT;"
    "SET VAR (v3, v4) = (SELECT 1, 2); SELECT v3 + v4 AS a",
    "variable of a table's name": "DECLARE OR REPLACE v5 = :table; SELECT * FROM IDENTIFIER(v5)",
    "function of a query": "CREATE OR REPLACE TEMPORARY FUNCTION f2() RETURNS INT "
    "RETURN (SELECT max(a) FROM t); SELECT f2() AS a",
    "table function": "CREATE OR REPLACE TEMPORARY FUNCTION f3() RETURNS TABLE(a INT) "
    "RETURN SELECT a FROM t WHERE a >= 1; SELECT * FROM f3()",
    "time zone": "SET TIME ZONE 'UTC'; SELECT current_timezone() AS z",
    "settings": "SET spark.sql.shuffle.partitions=4; SET spark.sql.adaptive.enabled=true;"
    "SET spark.sql.files.maxPartitionBytes=134217728; SET spark.sql.ansi.enabled=true; SELECT 1",
    "cache": "CACHE TABLE t; SELECT * FROM t",
    "cache of a query": "CACHE LAZY TABLE c1 AS SELECT a FROM t; SELECT * FROM c1",
}
WRITES = {
    "insert": f"INSERT INTO {REAL} SELECT 9, 9",
    "insert values": f"INSERT INTO {REAL} VALUES (9, 9)",
    "insert overwrite": f"INSERT OVERWRITE {REAL} SELECT 9, 9",
    "insert replace where": f"INSERT INTO {REAL} REPLACE WHERE a = 1 SELECT 1, 1",
    "insert by name": f"INSERT INTO {REAL} BY NAME SELECT 9 AS a, 9 AS b",
    "insert into a branch": f"INSERT INTO {REAL}.branch_main SELECT 9, 9",
    "insert into a file": "INSERT INTO parquet.`{folder}/out` SELECT 1",
    "insert into a folder": "INSERT OVERWRITE DIRECTORY '{folder}/out' USING parquet SELECT 1",
    "insert locally": "INSERT OVERWRITE LOCAL DIRECTORY '{folder}/out' USING parquet SELECT 1",
    "insert by identifier": "INSERT INTO IDENTIFIER(:table) SELECT 9, 9",
    "insert behind with": f"WITH q AS (SELECT 9 AS a) INSERT INTO {REAL} SELECT a, a FROM q",
    "insert by identifier behind with": "WITH q AS (SELECT 9 AS a) INSERT INTO IDENTIFIER(:table) "
    "SELECT a, a FROM q",
    "insert first": f"FROM t INSERT INTO {REAL} SELECT a, b",
    "insert twice": f"FROM t INSERT INTO {REAL} SELECT a, b INSERT INTO {REAL} SELECT b, a",
    "insert into a view's name": "INSERT INTO real SELECT 9, 9",
    "immediate insert": f"EXECUTE IMMEDIATE 'INSERT INTO {REAL} SELECT 9, 9'",
    "immediate insert by name": "EXECUTE IMMEDIATE :text",
    "immediate select": "EXECUTE IMMEDIATE 'SELECT 1'",
    "immediate into": "EXECUTE IMMEDIATE 'SELECT 1' INTO v9",
    "immediate using": "EXECUTE IMMEDIATE 'SELECT ?' USING 1",
    "merge": f"MERGE INTO {REAL} AS r USING t ON r.a = t.a WHEN MATCHED THEN DELETE",
    "merge with": f"WITH q AS (SELECT 1 AS a) MERGE INTO {REAL} AS r USING q ON r.a = q.a "
    "WHEN MATCHED THEN UPDATE SET b = 0",
    "update": f"UPDATE {REAL} SET b = 0",
    "delete": f"DELETE FROM {REAL} WHERE a = 1",
    "truncate": f"TRUNCATE TABLE {REAL}",
    "create table": "CREATE TABLE lake.sqlgate.made (a INT) USING iceberg",
    "create table as": "CREATE TABLE lake.sqlgate.made USING iceberg AS SELECT 1 AS a",
    "create table like": "CREATE TABLE made LIKE real",
    "create or replace": f"CREATE OR REPLACE TABLE {REAL} USING iceberg AS SELECT 1 AS a",
    "replace table": f"REPLACE TABLE {REAL} (a INT) USING iceberg",
    "create spark's table": "CREATE TABLE default.made USING parquet AS SELECT 1 AS a",
    "create table by identifier": "CREATE TABLE IDENTIFIER('lake.sqlgate.made') (a INT)",
    "drop table": f"DROP TABLE {REAL}",
    "drop table by identifier": "DROP TABLE IDENTIFIER(:table)",
    "purge": f"DROP TABLE IF EXISTS {REAL} PURGE",
    "drop view": "DROP VIEW t",
    "drop namespace": "DROP NAMESPACE lake.sqlgate CASCADE",
    "create namespace": "CREATE NAMESPACE lake.made",
    "alter namespace": "ALTER NAMESPACE lake.sqlgate SET PROPERTIES (x = 'y')",
    "comment": f"COMMENT ON TABLE {REAL} IS 'x'",
    "add column": f"ALTER TABLE {REAL} ADD COLUMN c INT",
    "drop column": f"ALTER TABLE {REAL} DROP COLUMN b",
    "rename": f"ALTER TABLE {REAL} RENAME TO lake.sqlgate.other",
    "properties": f"ALTER TABLE {REAL} SET TBLPROPERTIES ('x' = 'y')",
    "create branch": f"ALTER TABLE {REAL} CREATE BRANCH b1",
    "create tag": f"ALTER TABLE {REAL} CREATE TAG t1",
    "drop branch": f"ALTER TABLE {REAL} DROP BRANCH main",
    "partition field": f"ALTER TABLE {REAL} ADD PARTITION FIELD a",
    "write order": f"ALTER TABLE {REAL} WRITE ORDERED BY a",
    "call": "CALL lake.system.rollback_to_snapshot('sqlgate.real', {first})",
    "call by name": "CALL lake.system.expire_snapshots(table => 'sqlgate.real', retain_last => 1)",
    "call maintenance": "CALL lake.system.rewrite_data_files('sqlgate.real')",
    "call by identifier": "CALL IDENTIFIER('lake.system.rollback_to_snapshot')('sqlgate.real', "
    "{first})",
    "view": "CREATE VIEW lake.sqlgate.v AS SELECT 1 AS a",
    "view in the session catalog": "CREATE VIEW v AS SELECT 1 AS a",
    "global view": "CREATE GLOBAL TEMPORARY VIEW g AS SELECT 1 AS a",
    "view by identifier": "CREATE TEMPORARY VIEW IDENTIFIER('w9') AS SELECT 1 AS a",
    "view using": "CREATE TEMPORARY VIEW w9 USING csv OPTIONS (path '{csv}')",
    "view of a script": "CREATE TEMPORARY VIEW w9 AS SELECT TRANSFORM(a) USING 'cat' FROM t",
    "alter view": "ALTER VIEW t AS SELECT 2 AS a",
    "load": "LOAD DATA LOCAL INPATH '{csv}' INTO TABLE made",
    "analyze": f"ANALYZE TABLE {REAL} COMPUTE STATISTICS",
    "refresh table": f"REFRESH TABLE {REAL}",
    "refresh path": "REFRESH '{csv}'",
    "repair": "MSCK REPAIR TABLE made",
    "add jar": "ADD JAR '{csv}'",
    "add file": "ADD FILE '{csv}'",
    "add archive": "ADD ARCHIVE '{csv}'",
    "list jars": "LIST JARS",
    "use": "USE lake.sqlgate",
    "set catalog": "SET CATALOG lake",
    "set a catalog": "SET spark.sql.catalog.other=org.apache.iceberg.spark.SparkCatalog",
    "set a warehouse": "SET spark.sql.catalog.lake.warehouse=/tmp",
    "set substitution": "SET spark.sql.variable.substitute=true",
    "set redaction": "SET spark.sql.redaction.string.regex=x",
    "set a branch": "SET spark.wap.branch=main",
    "set hadoop": "SET fs.defaultFS=file:///",
    "set a class": "SET spark.sql.adaptive.customCostEvaluatorClass=x.Y",
    "set a committer": "SET spark.sql.parquet.output.committer.class=x.Y",
    "set store assignment": "SET spark.sql.storeAssignmentPolicy=LEGACY",
    "set nothing": "SET",
    "set -v": "SET -v",
    "show a setting": "SET spark.sql.ansi.enabled",
    "reset": "RESET",
    "uncache": "UNCACHE TABLE t",
    "clear cache": "CLEAR CACHE",
    "drop variable": "DROP TEMPORARY VARIABLE v9",
    "show tables": "SHOW TABLES IN lake.sqlgate",
    "describe": f"DESCRIBE {REAL}",
    "explain": "EXPLAIN SELECT 1",
    "script": "BEGIN END",
    "script that writes": f"BEGIN INSERT INTO {REAL} SELECT 9, 9; END",
    "transform": "SELECT TRANSFORM(a) USING 'touch {folder}/out' FROM t",
    "map": "FROM t MAP a USING 'touch {folder}/out'",
    "reflect": "SELECT reflect('java.lang.System', 'setProperty', 'tidegate', 'x')",
    "REFLECT": "SELECT `REFLECT`('java.lang.System', 'setProperty', 'tidegate', 'x')",
    "java_method": "SELECT java_method('java.lang.System', 'setProperty', 'tidegate', 'x')",
    "try_reflect": "SELECT try_reflect('java.lang.System', 'setProperty', 'tidegate', 'x')",
    "reflect in depth": "SELECT * FROM t WHERE a IN (SELECT length(reflect('java.lang.System', "
    "'setProperty', 'tidegate', 'x')))",
    "reflect in a window": "SELECT sum(b) OVER w FROM t WINDOW w AS (ORDER BY reflect("
    "'java.lang.System', 'setProperty', 'tidegate', 'x'))",
    "reflect in with": "WITH q AS (SELECT reflect('java.lang.System', 'setProperty', 'tidegate', "
    "'x') AS a) SELECT * FROM q",
    "reflect in a lambda": "SELECT transform(array('x'), y -> reflect('java.lang.System', "
    "'setProperty', 'tidegate', y))",
    "reflect by identifier": "SELECT IDENTIFIER('reflect')('java.lang.System', 'setProperty', "
    "'tidegate', 'x')",
    "reflect in a name": "SELECT * FROM IDENTIFIER(reflect('java.lang.System', 'setProperty', "
    "'tidegate', 'x'))",
    "class as function": "CREATE TEMPORARY FUNCTION f9 AS 'org.apache.x.Y'",
    "jar as function": "CREATE TEMPORARY FUNCTION f9 AS 'x.Y' USING JAR '{csv}'",
    "lasting function": "CREATE FUNCTION f9() RETURNS INT RETURN 1",
    "function that reflects": "CREATE TEMPORARY FUNCTION f9() RETURNS STRING RETURN reflect("
    "'java.lang.System', 'setProperty', 'tidegate', 'x')",
    "function with a default": "CREATE TEMPORARY FUNCTION f9(x STRING DEFAULT reflect("
    "'java.lang.System', 'setProperty', 'tidegate', 'x')) RETURNS STRING RETURN x",
    "variable that reflects": "DECLARE v9 = reflect('java.lang.System', 'setProperty', "
    "'tidegate', 'x')",
    "cached script": "CACHE TABLE c9 AS SELECT TRANSFORM(a) USING 'cat' FROM t",
    "stream": "SELECT * FROM STREAM(lake.sqlgate.real)",
}


@pytest.fixture(scope="module")
def places(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.sqlgate")
    rows = spark.range(5).selectExpr("id AS a", "id * 2 AS b")
    rows.writeTo(REAL).create()
    first = current_snapshot(spark, REAL)
    rows.writeTo(REAL).append()
    folder = tmp_path_factory.mktemp("sql")
    (folder / "in.csv").write_text("a\n1\n")
    spark.createDataFrame([(1, 2), (2, 3)], "a INT, b INT").createOrReplaceTempView("t")
    spark.table(REAL).selectExpr("CAST(a AS INT) a", "b AS c").createOrReplaceTempView("u")
    spark.createDataFrame([(1, 2)], "a INT, b INT").createOrReplaceTempView("real")
    spark.sql("DECLARE OR REPLACE VARIABLE v9 INT DEFAULT 1")
    return {
        "snapshot": str(current_snapshot(spark, REAL)),
        "first": str(first),
        "csv": str(folder / "in.csv"),
        "folder": str(folder),
    }


@pytest.fixture(autouse=True)
def settings(spark: SparkSession) -> Iterator[None]:
    kept = {key: spark.conf.get(key) for key in ("spark.sql.shuffle.partitions",)}
    yield
    for key, value in kept.items():
        spark.conf.set(key, str(value))
    spark.catalog.clearCache()


def filled(text: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    return text


def job(folder: str, text: str) -> Path:
    file = Path(folder) / "job.sql"
    file.write_text(text)
    return file


def everything(spark: SparkSession, places: dict[str, str]) -> object:
    """Return all that a statement could leave: files, tables, views, settings, properties."""
    roots = [
        Path(str(spark.conf.get("spark.sql.catalog.lake.warehouse"))) / "sqlgate",
        Path(str(spark.conf.get("spark.sql.warehouse.dir")).removeprefix("file:")),
        Path(places["folder"]),
    ]
    files = {}
    for root in roots:
        for file in root.rglob("*"):
            if file.name != "job.sql":
                files[str(file)] = file.stat().st_mtime_ns if file.is_file() else 0
    system = spark.sparkContext._jvm.java.lang.System  # type: ignore[union-attr]
    return (
        files,
        current_snapshot(spark, REAL),
        sorted(row.namespace for row in spark.sql("SHOW NAMESPACES IN lake").collect()),
        sorted(table.name for table in spark.catalog.listTables()),
        sorted(spark.sparkContext.listFiles),
        {row.key: row.value for row in spark.sql("SET").collect()},
        spark.catalog.currentCatalog(),
        system.getProperty("tidegate"),
    )


@pytest.mark.parametrize("name", READS)
def test_what_reads_runs(spark: SparkSession, places: dict[str, str], name: str) -> None:
    found = sql.produce(spark, job(places["folder"], filled(READS[name], places)), PARAMS)
    found.collect()
    assert found.columns


@pytest.mark.parametrize("name", PREPARED)
def test_what_prepares_runs(spark: SparkSession, places: dict[str, str], name: str) -> None:
    found = sql.produce(spark, job(places["folder"], filled(PREPARED[name], places)), PARAMS)
    assert found.collect()


@pytest.mark.parametrize("name", WRITES)
def test_what_writes_is_refused_wherever_it_stands(
    spark: SparkSession, places: dict[str, str], name: str
) -> None:
    text = filled(WRITES[name], places)
    before = everything(spark, places)
    for number, whole in (
        (1, text),
        (1, f"{text}; SELECT 1"),
        (2, f"DECLARE OR REPLACE v8 INT; {text}"),
    ):
        with pytest.raises(SpecError) as refused:
            sql.produce(spark, job(places["folder"], whole), PARAMS)
        if "PARSE_SYNTAX_ERROR" not in str(refused.value):
            verb = text.split()[0]
            assert re.match(rf"job.sql, statement {number} \({verb} …\)", str(refused.value))
    assert everything(spark, places) == before


def test_a_statement_behind_a_refused_one_has_not_run(
    spark: SparkSession, places: dict[str, str]
) -> None:
    text = f"CREATE TEMPORARY VIEW w8 AS SELECT 1 AS a; INSERT INTO {REAL} SELECT 9, 9; SELECT 1"
    with pytest.raises(SpecError, match=r"statement 2 \(INSERT …\) does more than prepare"):
        sql.produce(spark, job(places["folder"], text), PARAMS)
    assert not spark.catalog.tableExists("w8")


def test_a_view_that_bears_a_tables_name_lets_nothing_through(
    spark: SparkSession, places: dict[str, str]
) -> None:
    before = current_snapshot(spark, REAL)
    spark.sql("USE lake.sqlgate")
    try:
        for text in (
            "CREATE OR REPLACE TEMPORARY VIEW real AS SELECT 1 AS a, 2 AS b;"
            "INSERT INTO real SELECT 9, 9",
            f"CREATE TEMPORARY VIEW {REAL} AS SELECT 1 AS a; SELECT 1",
            "CREATE OR REPLACE TEMPORARY VIEW w7 AS SELECT * FROM real; DELETE FROM w7",
        ):
            with pytest.raises(SpecError):
                sql.produce(spark, job(places["folder"], text), PARAMS)
    finally:
        spark.sql("USE spark_catalog.default")
    assert current_snapshot(spark, REAL) == before


def test_a_command_hidden_in_an_identifier_is_seen_once_its_name_is_known(
    spark: SparkSession, places: dict[str, str]
) -> None:
    before = current_snapshot(spark, REAL)
    hidden = "WITH q AS (SELECT 9 AS a) INSERT INTO IDENTIFIER(:table) SELECT a, a FROM q"
    statement = Statement("job.sql", 1, hidden, {"table": REAL}, True)
    with pytest.raises(SpecError, match="is not known to only read"):
        check_meaning(spark, statement)
    assert current_snapshot(spark, REAL) == before


def test_a_stored_view_is_read_by_what_is_in_it(
    spark: SparkSession, places: dict[str, str]
) -> None:
    spark.sql(
        "CREATE OR REPLACE TEMPORARY VIEW planted AS "
        "SELECT reflect('java.lang.System', 'setProperty', 'tidegate', 'x') AS a"
    )
    with pytest.raises(SpecError, match="calls Java by reflection"):
        sql.produce(spark, job(places["folder"], "SELECT * FROM planted"), PARAMS)
    spark.catalog.dropTempView("planted")


def test_a_node_nobody_knows_is_refused_with_a_way_out(
    spark: SparkSession, places: dict[str, str]
) -> None:
    spark.table("t").mapInPandas(lambda parts: parts, "a INT, b INT").createOrReplaceTempView("odd")
    with pytest.raises(SpecError, match=r"MapInPandas is not known to only read.*batch job"):
        sql.produce(spark, job(places["folder"], "SELECT * FROM odd"), PARAMS)
    spark.catalog.dropTempView("odd")


def test_a_hint_is_kept_and_a_comment_dropped() -> None:
    text = "SELECT /*+ COALESCE(1) */ 1 /* no */ -- no\n; SELECT 2"
    assert sql.statements(text) == ["SELECT /*+ COALESCE(1) */ 1", "SELECT 2"]


def test_a_hint_reaches_the_plan(spark: SparkSession, places: dict[str, str]) -> None:
    text = "SELECT /*+ COALESCE(1) */ * FROM range(0, 9, 1, 3)"
    found = sql.produce(spark, job(places["folder"], text), {})
    names = [plans.name_of(node) for node in plans.nodes_of(spark, plans.parsed(spark, text, {}))]
    assert any(name.endswith("UnresolvedHint") for name in names)
    assert found.rdd.getNumPartitions() == 1
