"""Checking stages against each other and their data's schemas, reading no data: ``validate``.

``python -m tidegate.driver.check stages.json findings.json``; the first is a list of specs.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from tidegate.contract import (
    KINDS,
    Failure,
    Finding,
    ModelRead,
    PathRead,
    Read,
    StageSpec,
    TableRead,
    columns_of,
    findings_as_json,
)
from tidegate.driver.diagnose import diagnose
from tidegate.driver.gate import Gate, open_gate
from tidegate.driver.inputs import open_inputs
from tidegate.driver.jvm import is_down
from tidegate.driver.kinds import load
from tidegate.driver.kinds.job import arguments, load_run
from tidegate.driver.session import die_with_parent, open_session
from tidegate.driver.targets import open_target
from tidegate.driver.targets.table.branches import BranchedTable
from tidegate.driver.targets.table.schema import check_names, fit, with_partition
from tidegate.driver.targets.table.target import frame_of
from tidegate.driver.targets.table.writes import check_partitioning
from tidegate.errors import DataError, SpecError

Schemas = dict[str, StructType]
"""What is known of each table that a stage writes, before that stage has run."""
_WRONG_SQL = "42"
"""The class of SQLSTATEs that say: syntax error, or a name that is not there."""


class UnknownYet(Exception):
    """Something that only a run can tell."""


class Check:
    """One stage's findings."""

    def __init__(self, spark: SparkSession, spec: StageSpec, tables: Schemas) -> None:
        self._spark = spark
        self._spec = spec
        self._tables = tables
        self.findings: list[Finding] = []

    def run(self) -> None:
        """Check everything that can be known: one mistake hides no other of another part."""
        gate: Gate | None = None
        with self._noted():
            self._signature()
        with self._noted():
            gate = open_gate(self._spark, self._spec.suite, self._spec.params)
        frames = {}
        for read in self._spec.reads:
            with self._noted():
                frames[read.name] = self._frame_of(read)
        with self._noted():
            if any(each.wrong for each in self.findings):
                return
            require_all(frames, self._spec)
            output = self._fitted(self._output(frames))
            if self._spec.writes:
                self._tables[self._spec.writes] = output.schema
            self._columns(output)
            if gate is not None:
                gate.plan(output.schema)

    def _signature(self) -> None:
        spec = self._spec
        row = KINDS[spec.kind]
        if row.suffix != ".py":
            return
        run = load_run(str(spec.job))
        offered = dict.fromkeys([*(read.name for read in spec.reads), *row.offers])
        asked = arguments(run, offered)
        unasked = [read.name for read in spec.reads if read.name not in asked]
        if unasked and "graph" not in row.offers:
            self._note(f"reads {unasked} are opened, but run() does not ask for them")

    def _frame_of(self, read: Read) -> DataFrame:
        """Return a frame without rows, of an input's columns."""
        if isinstance(read, ModelRead):
            raise UnknownYet(f"reads[{read.name!r}]: the model {read.model} is not loaded here")
        if isinstance(read, TableRead) and read.table in self._tables:
            return nothing_of(self._spark, self._tables[read.table])
        try:
            opened = open_inputs(self._spark, (read,)).offered[read.name]
        except DataError as missing:
            if isinstance(read, TableRead) or _is_glob(read):
                raise UnknownYet(f"unknown until it is there: {missing}") from None
            raise
        return nothing_of(self._spark, frame_of(opened, self._spec).schema)

    def _output(self, frames: Mapping[str, DataFrame]) -> DataFrame:
        """Return the job's output as a plan over inputs without rows."""
        spec = self._spec
        if spec.kind == "train":
            raise UnknownYet("the suite's columns are metrics: unknown until it has trained")
        if spec.engine == "graphframes":
            raise UnknownYet("its plan needs the jar of GraphFrames: unknown until it has run")
        for name, frame in frames.items():
            frame.createOrReplaceTempView(name)
        return frame_of(load(spec).produce(self._spark, frames), spec)

    def _fitted(self, output: DataFrame) -> DataFrame:
        """Return an output as its table takes it."""
        spec = self._spec
        if not spec.writes:
            return output
        open_target(self._spark, spec, "", ())
        frame = with_partition(output, spec.partition, None)
        check_names(frame, spec)
        if not self._spark.catalog.tableExists(spec.writes):
            return frame
        check_partitioning(spec, BranchedTable(self._spark, spec.writes).metadata())
        fitted, added = fit(frame, self._spark.table(spec.writes).schema, spec.writes)
        if added:
            self._note(f"the job adds {added} to {spec.writes}")
        return fitted

    def _columns(self, output: DataFrame) -> None:
        """Note every expectation about a column that is not there."""
        suite = self._spec.suite
        known = {*output.columns, *(name.partition(".")[0] for name in output.columns)}
        for number, entry in enumerate(suite.document["expectations"], start=1):
            named = columns_of(entry.get("kwargs", {}))
            for column in [each for each in named if each.partition(".")[0] not in known]:
                close = get_close_matches(column, output.columns, n=3, cutoff=0.4)
                told = f"suite {suite.name!r}, expectation {number} ({entry['type']})"
                self._wrong(f"{told}: no column {column!r}; nearest: {close}, of {output.columns}")

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except UnknownYet as unknown:
            self._note(str(unknown))
        except (Exception, SystemExit) as error:  # a job raises anything; each is a finding
            self._diagnosed(diagnose(error, self._spark, self._spec.job))

    def _diagnosed(self, failure: Failure) -> None:
        told = f"{failure.type}: {failure.message}"
        is_sure = failure.type in (SpecError.__name__, DataError.__name__)
        if is_sure or (failure.sqlstate or "").startswith(_WRONG_SQL):
            self._wrong(told)
        else:
            self._note(f"unknown until it runs; on inputs without rows the job raised {told}")

    def _wrong(self, told: str) -> None:
        self.findings.append(Finding(where=_where(self._spec), told=told))

    def _note(self, told: str) -> None:
        self.findings.append(Finding(where=_where(self._spec), told=told, wrong=False))


def require_all(frames: Mapping[str, DataFrame], spec: StageSpec) -> None:
    """Go no further with an input whose columns are not known.

    :raises UnknownYet: naming those.
    """
    missing = [read.name for read in spec.reads if read.name not in frames]
    if missing:
        raise UnknownYet(f"job and suite are not checked against the columns of {missing}")


def nothing_of(spark: SparkSession, schema: StructType) -> DataFrame:
    """Return a frame of these columns without a row; a job that looks at it reads no data."""
    empty = [F.lit(None).cast(field.dataType).alias(field.name) for field in schema.fields]
    return spark.range(0).select(*empty)


def in_order(specs: Sequence[StageSpec]) -> list[StageSpec]:
    """Return stages in the order in which one reads what another writes."""
    writers = {spec.writes: number for number, spec in enumerate(specs) if spec.writes}
    graph: dict[int, set[int]] = {}
    for number, spec in enumerate(specs):
        sources = {writers[read.source] for read in spec.reads if read.source in writers}
        graph[number] = sources - {number}
    try:
        return [specs[number] for number in TopologicalSorter(graph).static_order()]
    except CycleError:
        # Two DAGs that read each other's tables: each then finds the table as it is.
        return list(specs)


def _is_glob(read: Read) -> bool:
    return isinstance(read, PathRead) and "*" in read.path


def check(specs: Sequence[StageSpec]) -> list[Finding]:
    """Return the findings of all stages, in one session."""
    conf: dict[str, str] = {}
    for spec in specs:
        conf |= spec.conf
    spark = open_session(replace(specs[0], conf=conf))
    tables: Schemas = {}
    findings: list[Finding] = []
    ordered = in_order(specs)
    for done, spec in enumerate(ordered, start=1):
        stage = Check(spark, spec, tables)
        stage.run()
        findings += stage.findings
        if is_down(spark):
            findings.append(_ended(spec, ordered[done:]))
            break
    return findings


def _ended(spec: StageSpec, unchecked: Sequence[StageSpec]) -> Finding:
    """Say which stage left no Spark to check the others with: an error, as they may be wrong."""
    told = "its job ended Spark: it called stop(), or ran out of memory; build a plan in it only"
    left = ", ".join(map(_where, unchecked))
    return Finding(where=_where(spec), told=f"{told}, and check again; not checked: [{left}]")


def _where(spec: StageSpec) -> str:
    return f"{spec.attempt.dag_id} / {spec.attempt.task_id}"


if __name__ == "__main__":
    die_with_parent()
    stages, out = map(Path, sys.argv[1:])
    asked = [StageSpec.from_json(each) for each in json.loads(stages.read_text(encoding="utf-8"))]
    out.write_text(findings_as_json(check(asked)), encoding="utf-8")
