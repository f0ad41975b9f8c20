"""What ``validate`` finds of stages in a project, without reading a row."""

from pathlib import Path
from typing import Any

import pytest
from local_spark import jobs_started
from pyspark.sql import SparkSession
from specs import spec

from tidegate.contract import PathRead, StageSpec, Suite, TableRead, digest
from tidegate.driver import check
from tidegate.driver.check import Check, Schemas, in_order

NOT_NULL = "expect_column_values_to_not_be_null"


class Project:
    """Jobs and landed rows on disk, and the findings of stages of them."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark = spark
        self.root = root
        self.tables: Schemas = {}
        (root / "orders.csv").write_text("id,amount\n1,20\n")

    def stage(self, code: str, *columns: str, **changes: Any) -> StageSpec:
        """Return a batch stage of a job, with a rule for each of the columns."""
        job = self.root / f"{digest(code)[:8]}.py"
        job.write_text(code)
        rules = [{"type": NOT_NULL, "kwargs": {"column": column}} for column in columns]
        given = {
            "writes": "lake.check.out",
            "job": str(job),
            "job_sha256": digest(job.read_bytes()),
            "suite": Suite(name="s", document={"expectations": rules}),
            "reads": (PathRead(name="orders", path=f"file://{self.root}/orders.csv"),),
        }
        return spec(**{**given, **changes})

    def told(self, stage: StageSpec) -> list[str]:
        checked = Check(self.spark, stage, self.tables)
        checked.run()
        return [each.line for each in checked.findings]


@pytest.fixture
def project(spark: SparkSession, tmp_path: Path) -> Project:
    return Project(spark, tmp_path)


SAME = "def run(orders):\n    return orders\n"
DOUBLED = "def run(orders):\n    return orders.selectExpr('id', '2 * amount AS twice')\n"


def test_a_sound_stage_has_no_finding_and_starts_no_job_over_its_rows(project: Project) -> None:
    stage = project.stage(DOUBLED, "id", "twice", partition={"ds": "2013-02-08"})
    assert project.told(stage) == []
    assert project.tables["lake.check.out"].names == ["id", "twice", "ds"]
    before = jobs_started(project.spark)
    # Its columns are known: of a stage that reads its output, no file is opened at all.
    reads = (TableRead(name="orders", table="lake.check.out"),)
    assert project.told(project.stage(SAME, "twice", reads=reads, writes="lake.check.next")) == []
    assert jobs_started(project.spark) == before
    assert not project.spark.catalog.tableExists("lake.check.out")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def run(order):\n    return order\n", "run(order) asks for ['order']"),
        ("def run(orders)\n    return orders\n", "cannot be imported: SyntaxError"),
        ("def work(orders):\n    return orders\n", "defines no function 'run'"),
        (
            "def run(orders):\n    return None\n",
            "returned NoneType; return a pyspark DataFrame",
        ),
        ("def run(orders):\n    return orders.select('amuont')\n", "amuont"),
        ("def run(orders):\n    return orders.selectExpr('id', 'id AS ID')\n", "differ by case"),
    ],
)
def test_what_is_wrong_with_a_job_is_an_error(project: Project, code: str, told: str) -> None:
    (line,) = project.told(project.stage(code))
    assert line.startswith("error  d / t: ")
    assert told in line


def test_a_rule_of_a_column_that_the_job_does_not_return_is_an_error(project: Project) -> None:
    assert project.told(project.stage(DOUBLED, "id", "twic")) == [
        f"error  d / t: suite 's', expectation 2 ({NOT_NULL}): no column 'twic'; "
        "nearest: ['twice'], of ['id', 'twice']"
    ]


def test_an_unknown_expectation_and_a_missing_input_are_both_told(project: Project) -> None:
    missing = PathRead(name="orders", path=f"file://{project.root}/nothing.csv")
    rules = {"expectations": [{"type": "expect_nothing", "kwargs": {}}]}
    suite = Suite(name="s", document=rules)
    lines = project.told(project.stage(SAME, reads=(missing,), suite=suite))
    assert "unknown expectation type 'expect_nothing'" in lines[0]
    assert "DataError: input 'orders': there is nothing at" in lines[1]


def test_what_is_not_there_yet_is_a_note(project: Project) -> None:
    stage = project.stage(SAME, reads=(TableRead(name="orders", table="lake.check.never"),))
    lines = project.told(stage)
    assert lines[0].startswith("note   d / t: unknown until it is there: input 'orders'")
    assert "not checked against the columns of ['orders']" in lines[1]
    glob = PathRead(name="orders", path=f"file://{project.root}/nothing*.csv", format="csv")
    assert all(line.startswith("note") for line in project.told(project.stage(SAME, reads=(glob,))))


def test_a_job_that_needs_rows_is_a_note_and_an_input_that_it_leaves_out_too(
    project: Project,
) -> None:
    code = "def run(orders):\n    return orders.filter(str(orders.first()['id']))\n"
    (line,) = project.told(project.stage(code))
    assert line.startswith("note   d / t: unknown until it runs; on inputs without rows the job")
    exits = "import sys\ndef run(orders):\n    sys.exit('no orders')\n"
    (line,) = project.told(project.stage(exits))
    assert "the job raised JobError: SystemExit: no orders (at " in line
    idle = "def run(spark):\n    return spark.range(3)\n"
    assert project.told(project.stage(idle)) == [
        "note   d / t: reads ['orders'] are opened, but run() does not ask for them"
    ]


def test_an_output_is_checked_against_its_table(project: Project) -> None:
    stage = project.stage("def run(orders):\n    return orders.selectExpr('id')\n")
    project.spark.sql("CREATE TABLE lake.check.there (id STRING, amount STRING) USING iceberg")
    there = {"writes": "lake.check.there"}
    try:
        (line,) = project.told(project.stage(Path(str(stage.job)).read_text(), **there))
        assert "the job dropped ['amount']" in line
        more = "def run(orders):\n    return orders.selectExpr('*', 'id AS twice')\n"
        (line,) = project.told(project.stage(more, **there))
        assert line == "note   d / t: the job adds ['twice'] to lake.check.there"
        by = {"partition": {"amount": "20"}}
        (line,) = project.told(project.stage(SAME, **there, **by))
        assert "is partitioned by nothing, not by ['amount']" in line
    finally:
        project.spark.sql("DROP TABLE lake.check.there PURGE")


def test_a_job_that_ends_spark_is_an_error_that_names_what_is_not_checked_for_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "open_session", lambda _: project.spark)
    monkeypatch.setattr(check, "is_down", lambda _: True)
    first, second = project.stage(SAME), project.stage(SAME, "nope", writes="lake.check.next")
    (finding,) = check.check([first, second])
    assert finding.line == (
        "error  d / t: its job ended Spark: it called stop(), or ran out of memory; build a plan "
        "in it only, and check again; not checked: [d / t]"
    )


def test_an_unknown_catalog_is_an_error(project: Project) -> None:
    (line,) = project.told(project.stage(SAME, writes="leak.check.out"))
    assert "Spark knows no Iceberg catalog 'leak'" in line


def test_stages_are_checked_behind_those_whose_tables_they_read() -> None:
    last = spec("lake.a.c", reads=(TableRead(name="x", table="lake.a.b"),))
    first = spec("lake.a.b", reads=(TableRead(name="x", table="lake.a.a"),))
    assert in_order([last, first]) == [first, last]
    around = spec("lake.a.a", reads=(TableRead(name="x", table="lake.a.c"),))
    assert in_order([last, first, around]) == [last, first, around]


def test_a_sql_job_is_analysed_too(project: Project) -> None:
    job = project.root / "job.sql"
    job.write_text("SELECT id, amuont FROM orders")
    stage = project.stage(SAME, kind="sql", job=str(job), job_sha256=digest(job.read_bytes()))
    (line,) = project.told(stage)
    assert line.startswith("error")
    assert "amuont" in line
