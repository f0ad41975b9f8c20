"""What the driver borrows without a promise is there: an upgrade fails here, by name."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver import jvm
from tidegate.driver.jvm import (
    catalogs,
    delta,
    files,
    hadoop,
    iceberg,
    kept,
    parquet,
    plans,
    rewrite,
    shared,
    streams,
)

DRIVER = Path(__file__).resolve().parents[2] / "plugins" / "tidegate" / "driver"
JVM = DRIVER / "jvm" / "__init__.py"
BORROWING = sorted((DRIVER / "jvm").glob("*.py"))
GX = DRIVER / "gate" / "gx.py"
GRAPHS = DRIVER / "gate" / "graphs.py"
TABLE = "lake.borrowed.numbers"


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def functions_of(file: Path) -> list[str]:
    found = [each.name for each in tree_of(file).body if isinstance(each, ast.FunctionDef)]
    return [name for name in found if not name.startswith("_")]


def imported_from(file: Path, package: str) -> list[tuple[str, str]]:
    """Return module and name of everything that ``file`` imports from ``package``."""
    found = []
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
            found += [(str(node.module), each.name) for each in node.names]
    return found


# --- PySpark, py4j and Iceberg -----------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers(spark: SparkSession) -> Iterator[DataFrame]:
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.borrowed")
    spark.range(4).writeTo(TABLE).create()
    yield spark.table(TABLE)
    spark.sql(f"DROP TABLE {TABLE}")


def iceberg_refs(spark: SparkSession) -> Any:
    return json.loads(iceberg.metadata_document(spark, jvm.iceberg_table(spark, TABLE)))["refs"]


def condition_of_a_failure(spark: SparkSession) -> str | None:
    try:
        spark.sql("SELECT raise_error('no')").collect()
    except PySparkException as error:
        (fact, *_) = jvm.java_causes(error, spark)
        return fact.condition
    return None


def longest_task(spark: SparkSession) -> Any:
    context = spark.sparkContext
    store = jvm.status_store(context)
    found = [jvm.run_times(context, store, stage) for stage in jvm.stages_of(context, store)]
    return [each for each in found if each is not None and each[0] <= each[1]]


def files_of(spark: SparkSession, listed: Callable[..., Any]) -> bool:
    snapshot = jvm.current_snapshot(spark, TABLE)
    schema, files = listed(spark, TABLE, snapshot, 99)
    found = [json.loads(each) for each in files]
    return "fields" in json.loads(schema) and sum(each["record-count"] for each in found) > 0


def rebuilt(spark: SparkSession) -> Any:
    argument = jvm.call_behind(F.sum("id")).arguments().apply(0)
    rows = spark.range(3).select(F.max(jvm.column_of(spark, argument))).collect()
    return rows[0][0] == 2


def numbered(spark: SparkSession) -> Any:
    frame = spark.range(3).toDF("n")  # rows: `range` itself is a data set of longs
    encoder = jvm.row_encoder(frame)
    return jvm.frame_of(spark, jvm.rdd_of(frame), encoder).count() == 3


FUNCTION = "CREATE TEMPORARY FUNCTION f(x INT) RETURNS INT RETURN x + 1"


def plan_of(spark: SparkSession, statement: str, **values: Any) -> Any:
    return plans.parsed(spark, statement, values)


def called(spark: SparkSession) -> str:
    nodes = plans.nodes_of(spark, plan_of(spark, "SELECT abs(1)"))
    (call,) = [node for node in nodes if plans.name_of(node).endswith(".UnresolvedFunction")]
    return plans.function_of(call)


def made(spark: SparkSession) -> Any:
    name = "lake.borrowed.made"
    catalogs.create_table(spark.range(1), name, by=["id"])
    catalogs.add_columns(spark.range(1).toDF("a.b"), name)
    columns = spark.table(name).columns
    spark.sql(f"DROP TABLE {name}")
    return columns == ["id", "a.b"]


def released(spark: SparkSession) -> Any:
    before = kept.kept_rdds(spark)
    numbers = spark.sparkContext.parallelize(range(3)).cache()
    there = kept.kept_rdds(spark) - before
    kept.release_rdds(spark, before)
    return there == {numbers.id()} and kept.kept_rdds(spark) <= before


def removed(spark: SparkSession) -> Any:
    folder = Path(mkdtemp())
    (folder / "part_1").mkdir()
    (folder / "other").mkdir()
    kept.remove_folders(spark, f"file://{folder}/part_*")
    kept.remove_folders(spark, f"file://{folder}/none")
    return [each.name for each in folder.iterdir()] == ["other"]


def seen_of_a_stream(spark: SparkSession) -> bool:
    seen: list[int] = []

    def look(frame: DataFrame, _: int) -> None:
        frame.collect()
        (query,) = spark.streams.active
        seen.append(streams.observed(spark, str(query.id), "evens"))
        seen.append(streams.observed(spark, str(query.id), "others"))

    rates = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 4).load()
    counted = rates.observe("evens", F.count_if(F.col("value") % 2 == 0).alias("n"))
    query = counted.writeStream.foreachBatch(look).trigger(availableNow=True).start()
    query.awaitTermination()
    return seen[:2] == [2, 0]


def left(_: SparkSession) -> bool:
    with TemporaryDirectory() as folder:
        for text in ("first", "second"):
            hadoop.put(f"file://{folder}/new/file.txt", text, {"spark.hadoop.x": "y"})
        names = {each.name for each in Path(folder, "new").iterdir()}
        told = Path(folder, "new", "file.txt").read_text()
    return told == "second" and not [name for name in names if name.endswith(".tmp")]


def told_of_a_stream(spark: SparkSession) -> bool:
    rates = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 4).load()
    counted = rates.observe("evens", F.count_if(F.col("value") % 2 == 0).alias("n"))
    query = counted.writeStream.foreachBatch(lambda frame, _: frame.collect()).start()
    while not query.lastProgress or query.lastProgress.batchId < 2:
        query.awaitTermination(1)
    query.stop()
    whole = [json.loads(each.json) for each in query.recentProgress]
    told = streams.progress_behind(query, -1)
    behind = streams.progress_behind(query, whole[-1]["batchId"] - 1)
    assert told[0]["observedMetrics"]["evens"] == {"n": 2}
    assert {each["batchId"] for each in behind} == {whole[-1]["batchId"]}
    return [each["batchId"] for each in reversed(told)] == [each["batchId"] for each in whole]


def rewritten(spark: SparkSession) -> bool:
    table = jvm.iceberg_table(spark, TABLE)
    found = list(rewrite.data_files(table, int(table.currentSnapshot().snapshotId())))
    made = rewrite.Rewrite(spark, table, found)
    made.write(2**20)
    written = made.new.size()
    made.drop()
    rows = sum(file.task.file().recordCount() for file in found)
    return (written, rows, made.old.size()) == (1, 4, len(found))


def listed(spark: SparkSession) -> bool:
    name = "lake.borrowed.texts"
    spark.sql(f"CREATE TABLE {name} AS SELECT 'ab' AS s FROM range(500)")
    paths = [row[0] for row in spark.sql(f"SELECT file_path FROM {name}.files").collect()]
    pages = parquet.dictionaries(spark, paths, [1], 9.0)
    spark.sql(f"DROP TABLE {name}")
    return set(pages[1]) == {b"\2\0\0\0ab"}


def test_a_folder_of_any_storage_is_read_and_written(spark: SparkSession, tmp_path: Path) -> None:
    folder = hadoop.Folder(spark, f"{tmp_path}/deep")
    assert (folder.names(), folder.read("a/b"), folder.move_aside(1)) == ([], None, None)
    folder.write("a/b", "text")
    assert (folder.names("a"), folder.read("a/b")) == (["b"], "text")
    assert folder.move_aside(2) == f"{tmp_path}/deep_lost_2"
    assert folder.names() == []


ATTACHED = """
from tidegate.driver.jvm.shared import attach

spark = attach()
found = [spark.conf.get("spark.colour", None), spark.range(3).count()]
print(spark.catalog.listTables("default"), *found)
"""


def attached(spark: SparkSession) -> Any:
    """Tell whether another process finds this application, and none of what this session has."""
    shared.keep_root(spark)
    mine = spark.newSession()
    mine.conf.set("spark.colour", "red")
    mine.range(1).createOrReplaceTempView("mine")
    parameters: Any = spark.sparkContext._gateway
    parameters = parameters.gateway_parameters
    gateway = {
        "PYSPARK_GATEWAY_PORT": str(parameters.port),
        "PYSPARK_GATEWAY_SECRET": parameters.auth_token,
    }
    told = subprocess.run(
        [sys.executable, "-c", ATTACHED],
        env={**os.environ, **gateway, "PYTHONPATH": str(DRIVER.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    jvm.jvm_of(spark).SparkSession.setDefaultSession(jvm.java_session(spark))
    return told.strip() == "[] None 3"


def java(spark: SparkSession) -> Any:
    return jvm.jvm_of(spark).java


def hadoop_conf(spark: SparkSession) -> Any:
    context: Any = spark.sparkContext._jsc
    return context.hadoopConfiguration()


def set_level(spark: SparkSession, level: str) -> None:
    spark.sparkContext.setLogLevel(level)


CHANGES: dict[str, tuple[Callable[[SparkSession], Any], Callable[[SparkSession], Any]]] = {
    "Hadoop's conf": (
        lambda spark: hadoop_conf(spark).set("fs.colour", "red"),
        lambda spark: hadoop_conf(spark).unset("fs.colour"),
    ),
    "system property colour": (
        lambda spark: java(spark).lang.System.setProperty("colour", "red"),
        lambda spark: java(spark).lang.System.clearProperty("colour"),
    ),
    "tables of the session catalog": (
        lambda spark: spark.sql("CREATE DATABASE spark_catalog.colours"),
        lambda spark: spark.sql("DROP DATABASE spark_catalog.colours"),
    ),
    "log levels": (
        lambda spark: set_level(spark, "FATAL"),
        lambda spark: set_level(spark, "WARN"),
    ),
    "time zone": (
        lambda spark: java(spark).util.TimeZone.setDefault(
            java(spark).util.TimeZone.getTimeZone("Asia/Tokyo")
        ),
        lambda spark: java(spark).util.TimeZone.setDefault(None),
    ),
    "listeners": (
        lambda spark: spark_of(spark).addSparkListener(listener(spark)),
        lambda spark: spark_of(spark).removeSparkListener(listener(spark)),
    ),
    "streaming queries": (
        lambda spark: spark.readStream.format("rate").load().writeStream.format("noop").start(),
        lambda spark: [query.stop() for query in spark.streams.active],
    ),
}


def spark_of(spark: SparkSession) -> Any:
    context: Any = spark.sparkContext._jsc
    return context.sc()


@cache
def listener(spark: SparkSession) -> Any:
    """Return a listener that is none of Spark's own: whatever it hears, it does nothing of note."""
    of = java(spark).lang.Class.forName("org.apache.spark.scheduler.SparkListenerInterface")
    return java(spark).beans.EventHandler.create(of, java(spark).lang.Object(), "hashCode")


@pytest.mark.parametrize("what", CHANGES)
def test_a_trace_of_an_attempt_is_seen(spark: SparkSession, what: str) -> None:
    change, undo = CHANGES[what]
    before = shared.traces(spark)
    change(spark)
    try:
        after = shared.traces(spark)
    finally:
        undo(spark)
    changed = dict(after.items() ^ before.items()).keys()
    assert what in changed
    assert changed <= {what, "running jobs"}


TOUCHES: dict[str, Callable[[SparkSession], Any]] = {
    "jvm_of": lambda spark: jvm.jvm_of(spark).java.lang.System.currentTimeMillis(),
    "java_session": lambda spark: jvm.java_session(spark).sessionState().newHadoopConf(),
    "java_frame": lambda spark: jvm.java_frame(spark.range(1)).schema().size() == 1,
    "rdd_of": lambda spark: jvm.rdd_of(spark.range(3)).count() == 3,
    "frame_of": numbered,
    "row_encoder": lambda spark: jvm.row_encoder(spark.range(1)).schema().size() == 1,
    "hops_encoder": lambda spark: jvm.hops_encoder(spark).schema(),
    "iceberg_table": lambda spark: jvm.iceberg_table(spark, TABLE).currentSnapshot(),
    "metadata_document": lambda spark: iceberg_refs(spark)["main"],
    "metadata_version": lambda spark: iceberg.metadata_version(jvm.iceberg_table(spark, TABLE)),
    "current_snapshot": lambda spark: jvm.current_snapshot(spark, TABLE),
    "delta_version": lambda spark: delta.delta_version(spark, "x", "forPath") is None,
    "put": left,
    "located": lambda spark: hadoop.located(spark, f"file://{JVM}")[0].getScheme() == "file",
    "entries_at": lambda spark: files.entries_at(spark, str(JVM))[0].path == f"file:{JVM}",
    "start_jvm": lambda spark: jvm.start_jvm() is None,
    "has_died": lambda spark: jvm.has_died(spark) is False,
    "is_down": lambda spark: jvm.is_down(spark) is False,
    "java_causes": lambda spark: condition_of_a_failure(spark) == "USER_RAISED_EXCEPTION",
    "status_store": lambda spark: jvm.status_store(spark.sparkContext).jobsList(None).size(),
    "stages_of": longest_task,
    "run_times": longest_task,
    "create_table": made,
    "add_columns": made,
    "parsed": lambda spark: plan_of(spark, "SELECT :n", n=1).toString(),
    "analysed": lambda spark: plans.analysed(spark, plan_of(spark, "SELECT 1")).resolved(),
    "nodes_of": lambda spark: (
        len(list(plans.nodes_of(spark, plan_of(spark, "SELECT id FROM t")))) == 3
    ),
    "name_of": lambda spark: plans.name_of(plan_of(spark, "SELECT 1")).endswith(".Project"),
    "is_plan": lambda spark: plans.is_plan(spark, plan_of(spark, "SELECT 1")),
    "setting_of": lambda spark: plans.setting_of(plan_of(spark, "SET a.b=c")) == "a.b",
    "is_local_view": lambda spark: plans.is_local_view(
        plan_of(spark, "CREATE TEMPORARY VIEW v AS SELECT 1")
    ),
    "body_of": lambda spark: plans.body_of(plan_of(spark, FUNCTION)) == "SELECT x + 1",
    "parameters_of": lambda spark: "x INT" in plans.parameters_of(plan_of(spark, FUNCTION)),
    "function_of": lambda spark: called(spark) == "abs",
    "call_behind": lambda spark: jvm.call_behind(F.sum("id")).functionName() == "sum",
    "column_of": rebuilt,
    "added_files": lambda spark: files_of(spark, jvm.added_files),
    "live_files": lambda spark: files_of(spark, jvm.live_files),
    "kept_rdds": released,
    "release_rdds": released,
    "reaches": lambda spark: (
        kept.reaches(spark, f"file://{DRIVER}") and not kept.reaches(spark, "nowhere://x/y")
    ),
    "remove_folders": removed,
    "dictionaries": listed,
    "local_texts": lambda spark: jvm.local_texts(spark, ["a", None]).count() == 2,
    "observed": seen_of_a_stream,
    "keep_root": lambda spark: shared.keep_root(spark) is None,
    "attach": attached,
    "next_stage": lambda spark: shared.next_stage(spark) > 0,
    "newest_object": lambda spark: shared.newest_object() < shared.newest_object(),
    "tidy": lambda spark: shared.tidy(spark, 0, shared.file_systems(spark)) is None,
    "file_systems": lambda spark: "file://" in " ".join(shared.file_systems(spark)),
    "scratch_of": lambda spark: shared.scratch_of(spark).is_dir(),
    "used_mib": lambda spark: shared.used_mib(spark) > 0,
    "traces": lambda spark: shared.traces(spark) == shared.traces(spark),
    "progress_behind": told_of_a_stream,
    "data_files": rewritten,
}


@pytest.mark.parametrize("name", [name for file in BORROWING for name in functions_of(file)])
def test_the_jvm_has_it(spark: SparkSession, numbers: DataFrame, name: str) -> None:
    numbers.count()
    assert TOUCHES[name](spark)


# --- Great Expectations ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"),
    [*imported_from(GX, "great_expectations"), *imported_from(GRAPHS, "great_expectations")],
)
def test_great_expectations_has_it(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


@pytest.fixture(scope="module")
def gx() -> Any:
    return import_module("tidegate.driver.gate.gx")


class Asked:
    """One expectation that GX's graph can be asked about: its own, and one that is refused."""

    def __init__(self, gx: Any, spark: SparkSession) -> None:
        self.gx = gx
        frame = spark.range(4)
        self.engine = gx.Engine(spark, "numbers", frame)
        self.engine.stand_in("others", frame.limit(2))
        between = "expect_column_values_to_be_between"
        limit = {"column": "id", "max_value": {"$PARAMETER": "limit"}}
        self.open = gx.ExpectationConfiguration(type=between, kwargs=dict(limit), id="0")
        self.filled = gx.ExpectationConfiguration(type=between, kwargs=dict(limit), id="0")
        gx.fill(self.filled, {"limit": 2})

    def edges(self) -> Any:
        return self.gx.edges_of(self.engine, self.filled, {"result_format": "SUMMARY"})

    def metric(self, name: str) -> Any:
        nodes = [node for edge in self.edges() for node in (edge.left, edge.right)]
        return {node.metric_name: node for node in nodes if node is not None}[name]

    def of_between(self, name: str) -> Any:
        return self.metric(f"column_values.between.{name}")

    def results(self, graphs: Any = None) -> Any:
        module = import_module("tidegate.driver.gate.graphs")
        asked = {"result_format": "SUMMARY"}
        return module.validated(self.engine, [self.filled], asked, graphs or module.Graphs())

    def judged_again(self, spark: SparkSession) -> bool:
        """Whether the graphs of one judgement are those of the next, of other data."""
        graphs = import_module("tidegate.driver.gate.graphs").Graphs()
        first = self.results(graphs)[0].result["unexpected_count"]
        built = graphs.built
        self.engine = self.gx.Engine(spark, "numbers", spark.range(6))
        second = self.results(graphs)[0].result["unexpected_count"]
        return built is graphs.built and (len(built), first, second) == (1, 1, 3)

    def broken(self) -> Any:
        return self.gx.broken_result(self.filled, ValueError("no"))

    def rounds(self) -> int:
        self.gx.resolve(self.engine, self.edges(), {"result_format": "SUMMARY"})
        return int(self.engine.rounds)


GX_TOUCHES: dict[str, Callable[[Any, Asked], Any]] = {
    "is_lazy": lambda gx, asked: gx.is_lazy(asked.of_between("condition"), asked.engine),
    "is_condition": lambda gx, asked: gx.is_condition(asked.of_between("condition"), asked.engine),
    "is_own": lambda gx, asked: gx.is_own(asked.of_between("condition"), asked.engine),
    "is_own_expectation": lambda gx, asked: gx.is_own_expectation(asked.filled),
    "dependencies": lambda gx, asked: gx.dependencies(
        asked.engine, asked.filled, {}
    ).get_metric_configurations(),
    "edges_of": lambda gx, asked: asked.edges(),
    "resolve": lambda gx, asked: asked.rounds(),
    "validated": lambda gx, asked: asked.results()[0].result["unexpected_count"] == 1,
    "count_beside": lambda gx, asked: (
        gx.count_beside(asked.of_between("unexpected_values"))
        == asked.of_between("unexpected_count").id
    ),
    "unresolved": lambda gx, asked: isinstance(
        gx.unresolved(asked.of_between("condition"), ValueError("no")), gx.GreatExpectationsError
    ),
    "broken_result": lambda gx, asked: "ValueError: no" in str(asked.broken().exception_info),
    "as_json": lambda gx, asked: gx.as_json(Decimal("1.5")) == 1.5,
    "known_types": lambda gx, asked: asked.open.type in gx.known_types(),
    "wanted_parameters": lambda gx, asked: (
        gx.wanted_parameters(asked.open) == {"max_value": "limit"}
    ),
    "fill": lambda gx, asked: asked.filled.kwargs["max_value"] == 2,
    "html_of": lambda gx, asked: "<html" in gx.html_of("numbers", asked.results()),
}


def test_great_expectations_keeps_its_graphs(gx: Any, spark: SparkSession) -> None:
    assert Asked(gx, spark).judged_again(spark)


@pytest.mark.parametrize("name", [*functions_of(GX), *functions_of(GRAPHS)])
def test_great_expectations_does_it(gx: Any, spark: SparkSession, name: str) -> None:
    assert GX_TOUCHES[name](gx, Asked(gx, spark))


def test_the_engine_prepares_without_computing(gx: Any, spark: SparkSession) -> None:
    asked = Asked(gx, spark)
    direct, bundled = asked.engine.prepared(asked.metric("table.column_types"), {}, {})
    assert (len(direct), len(bundled)) == (1, 0)
    assert direct[0].metric_configuration.metric_name == "table.column_types"
    assert callable(direct[0].metric_fn)
    assert direct[0].metric_provider_kwargs["execution_engine"] is asked.engine


def test_the_engine_reads_what_stands_in(gx: Any, spark: SparkSession) -> None:
    asked = Asked(gx, spark)
    domains = ({"batch_id": "others"}, {})
    counts = [asked.engine.get_domain_records(each).count() for each in domains]
    assert counts == [2, 4]


ROUND = "_process_direct_and_bundled_metric_computation_configurations"


def test_what_the_engine_overrides_is_there(gx: Any) -> None:
    theirs = getattr(gx.SparkDFExecutionEngine, ROUND)
    assert (
        signature(theirs).parameters.keys()
        == signature(getattr(gx.Engine, ROUND)).parameters.keys()
    )


# --- Who may borrow ----------------------------------------------------------------------------


def test_two_files_alone_import_great_expectations() -> None:
    for file in DRIVER.rglob("*.py"):
        if file not in (GX, GRAPHS):
            assert imported_from(file, "great_expectations") == [], file


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def borrowed_in(file: Path) -> Iterator[str]:
    """Yield the private names of others that ``file`` uses, with their line."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                if private(each.name):
                    yield f"{file.relative_to(DRIVER)}:{node.lineno} imports {each.name}"
        if isinstance(node, ast.Attribute) and private(node.attr):
            if not isinstance(node.value, ast.Name) or node.value.id not in ("self", "cls"):
                yield f"{file.relative_to(DRIVER)}:{node.lineno} {ast.unparse(node)}"


def test_nobody_else_of_the_driver_borrows() -> None:
    found = []
    for file in sorted(DRIVER.rglob("*.py")):
        if file not in (*BORROWING, GX, GRAPHS):
            found += borrowed_in(file)
    assert found == []
