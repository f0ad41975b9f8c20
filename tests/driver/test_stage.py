"""A whole attempt inside the driver: what comes out of good input, and of all bad input."""

import re
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pyspark.sql import SparkSession
from specs import spec

from tidegate.contract import Report, Suite, digest, parse_read
from tidegate.driver import attempt
from tidegate.driver.__main__ import FAILED, HELD, run
from tidegate.store import REPORT, AttemptFiles

# Another name in each import of this module: others borrow its bench.
_tables = (f"lake.stages_{token_hex(3)}.t{number}" for number in count())
NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}
ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
CLEAN = """from pyspark.sql import DataFrame


def run(orders: DataFrame) -> DataFrame:
    return orders.selectExpr("CAST(id AS INT) AS id", "CAST(v AS DOUBLE) AS v")
"""


class Bench:
    """One stage on a bench: a folder for its files, and a table of its own."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder, self.table = spark, folder, next(_tables)
        self.file("orders.csv", "id,v\n1,2.5\n2,3.5\n")

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def run(
        self, job: str = CLEAN, reads: Mapping[str, Any] | None = None, **overrides: Any
    ) -> tuple[int, Report]:
        kind = overrides.get("kind", "batch")
        file = Path(self.file("job.sql" if kind == "sql" else "job.py", job))
        document = {
            "name": "s",
            "expectations": overrides.pop("expectations", []),
            "meta": overrides.pop("meta", {}),
        }
        given: dict[str, Any] = {
            "job": str(file),
            "job_sha256": digest(file.read_bytes()),
            "reads": tuple(
                parse_read(n, v)
                for n, v in (reads or {"orders": str(self.folder / "orders.csv")}).items()
            ),
            "suite": Suite(name="s", document=document),
            "folder": str(self.folder),
        }
        at = spec(overrides.pop("writes", self.table), **{**given, **overrides})
        code = run(at)
        return code, Report.from_json(AttemptFiles(at.folder).read(REPORT))

    def exists(self) -> bool:
        return bool(self.spark.catalog.tableExists(self.table))

    def rows(self) -> list[tuple[Any, ...]]:
        self.spark.catalog.refreshTable(self.table)
        return sorted(tuple(row) for row in self.spark.table(self.table).collect())


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> Bench:
    return Bench(spark, tmp_path)


def test_a_stage_publishes_and_reports_what_it_did(bench: Bench) -> None:
    code, report = bench.run(expectations=[NOT_NULL, ROWS], partition={"ds": "2013-01-01"})
    assert (code, report.outcome) == (0, "published")
    assert bench.rows() == [(1, 2.5, "2013-01-01"), (2, 3.5, "2013-01-01")]
    assert report.judgement is not None
    assert (report.judgement.verdict, len(report.judgement.expectations)) == ("pass", 2)
    assert [i.name for i in report.inputs] == ["orders"]
    assert list(report.steps) == [
        "session",
        "load",
        "inputs",
        "fence",
        "job",
        "write",
        "gate",
        "publish",
    ]
    assert report.spark["input_rows"] >= 2
    assert not (bench.folder / "data_docs.html").exists()


def test_a_suite_can_ask_for_data_docs(bench: Bench) -> None:
    bench.run(expectations=[NOT_NULL], meta={"tidegate": {"data_docs": True}})
    assert "Expectation Validation Result" in (bench.folder / "data_docs.html").read_text()


def test_sparks_ui_tells_the_write_from_the_gate(bench: Bench, spark: SparkSession) -> None:
    median = {
        "type": "expect_column_median_to_be_between",
        "kwargs": {"column": "v", "min_value": 0},
    }  # has a job of its own after the write
    code, _ = bench.run(expectations=[NOT_NULL, median], task_id="described")
    assert code == 0
    status: Any = spark.sparkContext._jsc.sc().statusStore()
    jobs = status.jobsList(None)
    found = [jobs.apply(place).description() for place in range(jobs.size())]
    told = {each.get() for each in found if each.isDefined()}
    assert {"described: write aside", "described: gate"} <= told


RULES = """from pyspark.sql import functions as F
from great_expectations.execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics import (
    ColumnMapMetricProvider,
    column_condition_partial,
)


class Even(ColumnMapMetricProvider):
    condition_metric_name = "column_values.even_number"

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, column, **_):
        return column % 2 == 0


class ExpectColumnValuesToBeEvenNumbers(ColumnMapExpectation):
    map_metric = "column_values.even_number"


"""


def test_a_job_brings_an_expectation_of_its_own(bench: Bench) -> None:
    even = {"type": "expect_column_values_to_be_even_numbers", "kwargs": {"column": "id"}}
    code, report = bench.run(job=RULES + CLEAN, expectations=[even])
    assert (code, report.outcome) == (HELD, "held")
    assert report.judgement is not None
    assert report.judgement.failed[0].examples == ("1",)


def test_a_warning_publishes_and_says_so(bench: Bench) -> None:
    high = {
        "type": "expect_column_max_to_be_between",
        "kwargs": {"column": "v", "max_value": 3},
        "severity": "warning",
    }
    code, report = bench.run(expectations=[NOT_NULL, high])
    assert (code, report.outcome) == (0, "published")
    assert report.judgement is not None
    assert report.judgement.verdict == "warn"


def test_a_closed_gate_holds_and_a_later_good_day_publishes(bench: Bench) -> None:
    bench.run(expectations=[NOT_NULL])
    before = bench.rows()
    bench.file("orders.csv", "id,v\n,2.5\n3,1\n")
    code, report = bench.run(expectations=[NOT_NULL], run_id="r2")
    assert (code, report.outcome) == (HELD, "held")
    assert bench.rows() == before
    assert report.output is not None
    assert bench.spark.table(str(report.output.held_at)).count() == 2
    bench.file("orders.csv", "id,v\n7,7\n")
    assert bench.run(expectations=[NOT_NULL], run_id="r3")[0] == 0
    assert bench.rows() == [(7, 7.0)]


def test_a_retry_with_the_report_lost_finds_its_own_publication(bench: Bench) -> None:
    bench.run()
    _, report = bench.run(try_number=2)
    assert report.outcome == "published"
    assert report.output is not None
    assert report.output.note == "already published by try 1"
    assert "write" not in report.steps


HELPED = """import sys
sys.path.insert(0, {folder!r})
import near{number}


def run(spark):
    import far{number}

    return spark.createDataFrame([(near{number}.N + far{number}.N,)], "n INT")
"""


@pytest.mark.parametrize("changed", ["near", "far", "deep", None])
def test_a_retry_resumes_only_while_every_module_the_job_imports_is_the_same(
    bench: Bench, changed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``near`` is imported with the job, ``far`` when it runs, and ``deep`` by ``far``."""
    monkeypatch.setattr("sys.path", list(sys.path))
    number = bench.table.rpartition("t")[2]
    job = HELPED.format(folder=str(bench.folder), number=number)
    bench.file(f"near{number}.py", "N = 1\n")
    bench.file(f"far{number}.py", f"import deep{number}\nN = deep{number}.N\n")
    bench.file(f"deep{number}.py", "N = 2\n")
    bench.run(job, reads={})
    assert bench.rows() == [(3,)]
    if changed:
        bench.file(f"{changed}{number}.py", "N = 40 + 1  # longer than it was\n")
    for name in ("near", "far", "deep"):
        del sys.modules[f"{name}{number}"]  # another try is another process
    _, report = bench.run(job, reads={}, try_number=2)
    assert report.outcome == "published"
    assert ("write" in report.steps) == bool(changed)
    expected = {"near": 43, "far": 42, "deep": 42, None: 3}[changed]
    assert bench.rows() == [(expected,)]


def test_a_job_that_cannot_be_imported_fences_nobody_off(bench: Bench) -> None:
    bench.run(run_id="r1")
    _, report = bench.run("import nothing_of_that_name\n", run_id="r2")
    assert report.failure is not None
    assert report.failure.type == "SpecError"
    assert "nothing_of_that_name" in report.failure.message
    assert list(report.steps) == ["session", "load"]
    names = bench.spark.sql(f"SELECT name FROM {bench.table}.refs").collect()
    assert [row.name for row in names] == ["main"]


def test_a_cleared_task_does_its_work_anew(bench: Bench) -> None:
    bench.run()
    _, report = bench.run(try_number=2, generation=3)
    assert "write" in report.steps


def test_sql_sees_inputs_as_views_and_params_as_markers(bench: Bench) -> None:
    text = """-- a ';' in a comment
    CREATE TEMPORARY VIEW big AS SELECT *, ';' AS mark FROM orders WHERE CAST(v AS DOUBLE) > :least;
    SELECT CAST(id AS INT) AS id, :ds AS day, mark FROM big /* ; */ ;"""
    code, report = bench.run(
        text, kind="sql", params={"least": 3.0, "ds": "2013-01-01", "list": [1]}
    )
    assert (code, report.failure) == (0, None)
    assert bench.rows() == [(2, "2013-01-01", ";")]


def test_a_param_is_a_value_and_never_sql(bench: Bench) -> None:
    code, _ = bench.run("SELECT :x AS x", kind="sql", params={"x": "1; DROP TABLE lake.a.b"})
    assert code == 0
    assert bench.rows() == [("1; DROP TABLE lake.a.b",)]


def test_a_udf_of_the_job_file_reaches_the_executors(bench: Bench) -> None:
    job = """from pyspark.sql import functions as F

def double(x: float) -> float:
    return 2 * x

def run(orders):
    return orders.select(F.udf(double, "double")(F.col("v").cast("double")).alias("v"))
"""
    assert bench.run(job)[0] == 0
    assert bench.rows() == [(5.0,), (7.0,)]


def test_several_files_are_one_input_and_the_report_says_which(bench: Bench) -> None:
    for name in "abc":
        bench.file(f"part-{name}.csv", f"id,v\n{ord(name)},1\n")
    reads = {"orders": {"path": f"{bench.folder}/part-*.csv", "min_files": 3}}
    code, report = bench.run(reads=reads)
    assert (code, bench.rows()) == (0, [(97, 1.0), (98, 1.0), (99, 1.0)])
    first = report.inputs[0].state
    assert re.fullmatch(
        r"3 files, 30 bytes, newest 20\d\d-\d\d-\d\dT[\d:]{8}\+00:00, digest \w{12}", str(first)
    )
    bench.file("part-b.csv", "id,v\n98,2\n")
    _, again = bench.run(reads=reads, run_id="r2")
    assert again.inputs[0].state != first
    _, single = bench.run(run_id="r3")
    assert str(single.inputs[0].state).startswith("1 file, 17 bytes, newest")


def test_a_gate_alone_judges_and_publishes_nothing(bench: Bench) -> None:
    code, report = bench.run(kind="gate", job=CLEAN, writes=None, expectations=[NOT_NULL])
    assert (code, report.outcome) == (0, "passed")
    assert not bench.exists()
    other = str(bench.folder / "orders.csv")
    missing = {
        "type": "unexpected_rows_expectation",
        "kwargs": {
            "unexpected_rows_query": (
                "SELECT * FROM {batch} e LEFT ANTI JOIN vertices v ON e.id = v.id"
            )
        },
    }
    vertices = bench.file("vertices.csv", "id\n1\n")
    reads = {"edges": other, "vertices": vertices}
    code, report = bench.run(kind="gate", reads=reads, writes=None, expectations=[missing])
    assert (code, report.outcome) == (HELD, "held"), "a dangling edge is found by an ordinary suite"
    unique = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}
    twice = bench.file("twice.csv", "id\n1\n1\n")
    code, report = bench.run(
        kind="gate", reads={"vertices": twice}, writes=None, expectations=[unique]
    )
    assert (code, report.outcome) == (HELD, "held"), "so is a vertex given twice"


def test_an_input_table_is_read_at_the_snapshot_that_was_named(bench: Bench) -> None:
    bench.run()
    first = bench.spark.sql(f"SELECT snapshot_id FROM {bench.table}.refs").collect()[0][0]
    source, bench.table = bench.table, next(_tables)
    copy = "def run(a):\n    return a\n"
    later = bench.file("later.csv", "id,v\n9,9\n")
    bench.run(reads={"orders": later}, writes=source, run_id="r2")
    _, report = bench.run(
        copy, reads={"a": {"table": source, "snapshot_id": first}}, task_id="copy"
    )
    assert bench.rows() == [(1, 2.5), (2, 3.5)]
    assert report.inputs[0].snapshot_id == first


UDF_RAISES = """from pyspark.sql import functions as F

def run(orders):
    return orders.select(F.udf(lambda x: {}[x], "int")("id").alias("i"))
"""
BAD_JOBS: list[tuple[str, str, str, str]] = [
    (
        "run asks for what nobody offers",
        "def run(flights):\n    return flights",
        "SpecError",
        r"job job.py: run\(flights\) asks for \['flights'\]; this stage offers "
        r"\['orders', 'params', 'spark'\]: rename the parameter, or add it to reads",
    ),
    ("no run", "x = 1", "SpecError", "defines no function 'run'"),
    ("does not compile", "def run(:", "SpecError", "cannot be imported: SyntaxError"),
    ("missing module", "import nonexistent_module", "SpecError", "nonexistent_module"),
    (
        "returns nothing",
        "def run(orders):\n    pass",
        "SpecError",
        r"job job.py: run\(\) returned NoneType; return a pyspark DataFrame, the rows of lake",
    ),
    (
        "raises",
        "def run(orders):\n    return orders.select({}['key'])",
        "JobError",
        r"KeyError.*job.py:2",
    ),
    (
        "calls sys.exit",
        "import sys\ndef run(orders):\n    sys.exit('nothing to do')",
        "JobError",
        r"SystemExit: nothing to do \(at job.py:3\)",
    ),
    ("unknown column", "def run(orders):\n    return orders.select('nope')", "JobError", "nope"),
    (
        "bad cast",
        "def run(orders):\n    return orders.selectExpr('CAST(concat(v, \"x\") AS INT) AS v')",
        "DataError",
        r"CAST_INVALID_INPUT.* in CAST\(concat\(v, ",
    ),
    (
        "bad cast of a column",
        "def run(orders):\n    texts = orders.selectExpr(\"'x' AS v\")\n"
        "    return texts.select(texts.v.cast('int').alias('v'))",
        "DataError",
        r"CAST_INVALID_INPUT.*\(at job.py:3\)",
    ),
    (
        "UDF raises",
        UDF_RAISES,
        "JobError",
        r"KeyError.*\(at job.py:4\)",
    ),
]


@pytest.mark.parametrize(
    ("what", "job", "kind", "said"), BAD_JOBS, ids=[row[0] for row in BAD_JOBS]
)
def test_a_bad_job_is_a_clear_error_and_nothing_is_published(
    bench: Bench, what: str, job: str, kind: str, said: str
) -> None:
    code, report = bench.run(job)
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == kind, report.failure
    assert re.search(said, f"{report.failure.message} {report.failure.condition}"), report.failure
    assert not bench.exists() or bench.rows() == []


def test_a_job_under_which_spark_died_leaves_no_report_for_the_log_says_of_what(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "has_died", lambda _: True)
    with pytest.raises(FileNotFoundError, match=r"report\.json"):
        bench.run("def run(orders):\n    raise OSError('Job 1 cancelled: Spark was shut down')")


def test_another_partition_column_is_told_as_that_and_not_as_a_column_that_was_dropped(
    bench: Bench,
) -> None:
    bench.run(partition={"ds": "2013-02-08"})
    code, report = bench.run(partition={"day": "2013-02-08"}, run_id="r2")
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == "SpecError"
    assert "is partitioned by ['ds'], not by ['day']" in report.failure.message
    code, report = bench.run(run_id="r3")
    assert code == FAILED
    assert report.failure is not None
    assert "dropped ['ds']" in report.failure.message
    assert "parts the table also by the task's partition=" in report.failure.message


BAD_SQL = [
    ("syntax", "SELEC 1", "PARSE_SYNTAX_ERROR|syntax", "SpecError"),
    ("nothing", "-- nothing\n;", "no statement", "SpecError"),
    (
        "writes first",
        "INSERT INTO lake.a.b SELECT 1; SELECT 1",
        "does more than prepare",
        "SpecError",
    ),
    ("writes last", "INSERT INTO lake.a.b SELECT 1", "is no query", "SpecError"),
    (
        "writes behind WITH",
        "WITH x AS (SELECT 1) INSERT INTO lake.a.b SELECT * FROM x",
        "is no query",
        "SpecError",
    ),
    ("creates last", "CREATE TABLE lake.a.b AS SELECT 1", "is no query", "SpecError"),
    ("unknown input", "SELECT * FROM nope", "nope", "JobError"),
    (
        "unbound marker",
        "SELECT :nope AS x",
        r"job.sql: no parameter :nope; this stage offers \[.*\]: rename it",
        "SpecError",
    ),
]


@pytest.mark.parametrize(("what", "text", "said", "kind"), BAD_SQL, ids=[row[0] for row in BAD_SQL])
def test_bad_sql_is_a_clear_error_and_nothing_is_run(
    bench: Bench, what: str, text: str, said: str, kind: str
) -> None:
    code, report = bench.run(text, kind="sql")
    assert code == FAILED
    assert report.failure is not None
    assert (report.failure.type, bool(re.search(said, report.failure.message))) == (kind, True), (
        report.failure
    )
    assert not bench.exists()


BAD_DATA: list[tuple[str, dict[str, str], Any, str, str]] = [
    ("missing", {}, "nope.csv", "DataError", "there is nothing at .*nope.csv; land it"),
    ("empty file", {"orders.csv": ""}, "orders.csv", "DataError", "is empty|no columns"),
    (
        "ragged",
        {"orders.csv": "id,v\n1,2,3\n"},
        "orders.csv",
        "DataError",
        "MALFORMED|[Mm]alformed",
    ),
    ("not parquet", {"x.parquet": "no"}, "x.parquet", "DataError", "parquet|Parquet|FOOTER"),
    (
        "wrong header",
        {"orders.csv": "v,id\n1,2\n"},
        {"path": "orders.csv", "schema": "id INT, v DOUBLE"},
        "DataError",
        "header|CSV",
    ),
    (
        "wrong type",
        {"orders.csv": "id,v\nx,1\n"},
        {"path": "orders.csv", "schema": "id INT, v DOUBLE"},
        "DataError",
        "MALFORMED|[Mm]alformed",
    ),
    (
        "too few files",
        {"a.csv": "id,v\n1,2\n", "b.csv": "id,v\n2,3\n"},
        {"path": "[ab].csv", "min_files": 3},
        "DataError",
        r"input 'orders': 2 files at .*/\[ab\].csv, and min_files asks for 3; land those that",
    ),
    (
        "no Delta",
        {},
        {"path": "orders", "format": "delta"},
        "SpecError",
        r"input 'orders': Delta needs.*io.delta:delta-spark_4.1_2.13:4.1.0",
    ),
    ("no table", {}, "lake.nope.nope", "DataError", "there is no table lake.nope.nope"),
]


@pytest.mark.parametrize(
    ("what", "files", "read", "kind", "said"), BAD_DATA, ids=[row[0] for row in BAD_DATA]
)
def test_bad_input_is_a_clear_error_and_nothing_is_published(
    bench: Bench, what: str, files: dict[str, str], read: Any, kind: str, said: str
) -> None:
    for name, text in files.items():
        bench.file(name, text)
    if isinstance(read, dict):
        read = {**read, "path": str(bench.folder / read["path"])}
    elif not read.startswith("lake."):
        read = str(bench.folder / read)
    code, report = bench.run(reads={"orders": read})
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == kind, report.failure
    assert re.search(
        said, f"{report.failure.message} {report.failure.cause} {report.failure.condition}"
    ), report.failure
    assert not bench.exists() or bench.rows() == []


def test_no_rows_close_a_gate_that_wants_some_and_empty_a_partition_that_does_not(
    bench: Bench,
) -> None:
    bench.run(partition={"ds": "1"})
    bench.file("orders.csv", "id,v\n")
    assert bench.run(expectations=[ROWS], partition={"ds": "1"}, run_id="r2")[0] == HELD
    assert len(bench.rows()) == 2
    assert bench.run(partition={"ds": "1"}, run_id="r3")[0] == 0
    assert bench.rows() == []


def test_a_column_the_suite_names_but_the_data_lacks_closes_the_gate(bench: Bench) -> None:
    nope = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nope"}}
    code, report = bench.run(expectations=[nope, NOT_NULL])
    assert code == HELD
    assert report.judgement is not None
    assert "nope" in str(report.judgement.failed[0].exception)


def test_an_unknown_expectation_is_known_before_anything_is_written(bench: Bench) -> None:
    code, report = bench.run(
        expectations=[{"type": "expect_column_values_to_not_be_nul", "kwargs": {"column": "id"}}]
    )
    assert code == FAILED
    assert report.failure is not None
    assert report.failure.type == "SpecError"
    assert "expect_column_values_to_not_be_null" in report.failure.message
    assert not bench.exists()


def test_a_job_that_changed_since_it_was_submitted_is_not_run(bench: Bench) -> None:
    code, report = bench.run(job_sha256="0" * 64)
    assert code == FAILED
    assert report.failure is not None
    assert "changed between submission and start" in report.failure.message
