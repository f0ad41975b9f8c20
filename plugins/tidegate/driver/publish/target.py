"""A table as the target of a stage: fence, stage on a branch, publish or hold."""

from collections.abc import Mapping
from typing import cast

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from tidegate.contract import Judgement, Output, StageSpec, Verdict
from tidegate.driver.publish.branches import MAIN, Branch, BranchedTable, Metadata, fenced_off
from tidegate.driver.publish.fence import Fence
from tidegate.driver.publish.schema import OUTSIDE, ddl, fit, with_partition
from tidegate.driver.target import Observe, Staged
from tidegate.errors import JobError, SpecError


class TableTarget:
    """Publishes to the Iceberg table ``spec.writes``, which is created on first use.

    ``fingerprint`` names the work: an attempt that finds it on a snapshot need not do that work again.

    :raises SpecError: if the table's catalog is not configured, or the table is partitioned in another way.
    """

    def __init__(self, spark: SparkSession, spec: StageSpec, fingerprint: str) -> None:
        self._spark, self._spec = spark, spec
        self._name = str(spec.writes)
        catalog = self._name.partition(".")[0]
        if "iceberg" not in (spark.conf.get(f"spark.sql.catalog.{catalog}", None) or ""):
            raise SpecError(
                f"writes={self._name!r}: Spark knows no Iceberg catalog {catalog!r}; "
                f"add spark.sql.catalog.{catalog} to spark-defaults.conf (see conf/spark-defaults.conf)"
            )
        self._table = BranchedTable(spark, self._name)
        self._branch = Branch.of(spec.stage, spec.attempt)
        self._sidecar = f"{self._name}__staged_{self._branch.key}"
        self._fence = Fence(self._table, self._branch, spec.stage, fingerprint)
        self._fenced = False
        self._base: int | None = None
        self._staged: int | None = None
        self._added: list[str] = []
        self._rows: int | None = None
        attempt = spec.attempt
        self._summary = {
            "tidegate.stage": spec.stage,
            "tidegate.run_id": attempt.run_id,
            "tidegate.try": str(attempt.try_number),
            "tidegate.submitted_ms": str(attempt.submitted_ms),
            "tidegate.suite": spec.suite.name,
            "tidegate.suite_sha256": spec.suite.sha256,
            "tidegate.fingerprint": fingerprint,
        }

    def begin(self) -> Output | None:
        """Fence off older attempts; publish at once what an earlier try of this run left judged and passed.

        :raises PublishError: if a newer attempt has begun.
        :raises SpecError: if this run has already appended other rows.
        """
        if not self._spark.catalog.tableExists(self._name):
            return None
        if (snapshot := self._fence.published(once=self._spec.mode == "append")) is not None:
            summary = self._fence.clear().summary(snapshot)
            note = f"already published by try {summary['tidegate.try']}"
            return Output(target=self._name, version=snapshot, verdict=_verdict(summary), note=note)
        left = self._fence.passed()
        self._raise_fence()
        if left is None:
            return None
        self._table.adopt(self._branch, left)
        now = self._table.metadata()
        self._staged = now.snapshots[left].get("parent-snapshot-id")
        summary = now.summary(left)
        return self._move(
            f"judged by try {summary['tidegate.try']}; no work was done again", summary
        )

    def _raise_fence(self) -> None:
        self._base = self._fence.raise_().refs.get(MAIN)
        self._spark.sql(f"DROP TABLE IF EXISTS {self._sidecar} PURGE")
        self._fenced = True

    def stage(self, output: object, observe: Observe) -> Staged:
        """Write the output to this attempt's branch, in one pass.

        :raises SpecError: if the output is no frame, or drops or retypes a column of the table.
        :raises JobError: if a row lies outside the stage's partition.
        :raises PublishError: if a newer attempt has begun.
        """
        if not isinstance(output, DataFrame):
            raise SpecError(f"run() returned {type(output).__name__}; return a pyspark DataFrame")
        table = (
            self._spark.table(self._name).schema
            if self._spark.catalog.tableExists(self._name)
            else None
        )
        frame = with_partition(output, self._spec.partition, table)
        if table is None:
            self._create(frame)
        else:
            frame, self._added = fit(frame, table, self._name)
        if not self._fenced:
            self._raise_fence()
        self._check_partitioning()
        try:
            return self._write_aside(observe(frame), frame)
        except (Py4JJavaError, PySparkException) as error:
            now = self._table.metadata()
            if self._branch.token not in now.refs:
                raise fenced_off(self._name, now, self._branch) from error
            if OUTSIDE in str(error):
                line = next(line for line in str(error).splitlines() if OUTSIDE in line)
                raise JobError(
                    f"{line[line.index(OUTSIDE) :][:200]}; this stage writes {dict(self._spec.partition)}"
                ) from error
            raise

    def _create(self, frame: DataFrame) -> None:
        namespace = self._name.rpartition(".")[0]
        self._spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
        by = f"PARTITIONED BY ({', '.join(self._spec.partition)})" if self._spec.partition else ""
        self._spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self._name} ({ddl(frame)}) USING iceberg {by}"
        )

    def _check_partitioning(self) -> None:
        now = self._table.metadata()
        if missing := [key for key in self._spec.partition if key not in now.identity]:
            by = sorted(now.identity | set(now.other_transforms)) or "nothing"
            raise SpecError(
                f"{self._name} is partitioned by {by}, not by {missing}: a stage replaces whole partitions; "
                f"write another table, or change how this one is partitioned"
            )

    def _write_aside(self, observed: DataFrame, frame: DataFrame) -> Staged:
        if self._added:
            # A schema belongs to the table, not to a branch: a new column waits in a table of its own for the verdict.
            self._spark.sql(f"CREATE TABLE {self._sidecar} ({ddl(frame)}) USING iceberg")
            self._writer(observed, self._sidecar).append()
            staged = self._spark.table(self._sidecar)
            self._rows = _added_records(BranchedTable(self._spark, self._sidecar).metadata(), MAIN)
        else:
            self._write_branch(observed)
            staged = self._read_back()
        return Staged(frame=staged, rows=self._rows)

    def _write_branch(self, frame: DataFrame) -> None:
        writer = self._writer(frame, f"{self._name}.branch_{self._branch.name}")
        now = self._table.metadata()
        partition = self._spec.partition
        if self._spec.mode == "append":
            writer.append()
        elif partition and set(partition) == now.identity and not now.other_transforms:
            # One partition: no shuffle by partition is needed, and unlike overwrite(…) it can be cherry-picked.
            writer.option("distribution-mode", "none").overwritePartitions()
            if self._table.metadata().refs[self._branch.name] == now.refs[self._branch.name]:
                self._empty_partition()
        else:
            writer.overwrite(self._in_partition(self._spark.table(self._name).schema))
        after = self._table.metadata()
        head = after.refs[self._branch.name]
        self._staged = head if head != now.refs[self._branch.name] else None
        self._rows = _added_records(after, self._branch.name) if self._staged else 0

    def _empty_partition(self) -> None:
        # A dynamic overwrite with no rows replaces nothing; yesterday's rows must go all the same.
        schema = self._spark.table(self._name).schema
        nothing = self._spark.createDataFrame([], schema)
        self._writer(nothing, f"{self._name}.branch_{self._branch.name}").overwrite(
            self._in_partition(schema)
        )

    def _in_partition(self, schema: StructType) -> Column:
        condition = F.lit(True)
        for index, (name, value) in enumerate(self._spec.partition.items()):
            term = F.col(name) == F.lit(value).cast(schema[name].dataType)
            condition = term if index == 0 else condition & term
        return condition

    def _writer(self, frame: DataFrame, to: str) -> DataFrameWriterV2:
        writer = frame.writeTo(to)
        for key, value in self._summary.items():
            writer = writer.option(f"snapshot-property.{key}", value)
        return writer

    def _read_back(self) -> DataFrame:
        """Read what this attempt wrote and nothing else."""
        reader = self._spark.read
        if self._staged is None:
            return self._spark.table(self._name).limit(0)
        if self._spec.mode == "append" and self._base is not None:
            reader = reader.option("start-snapshot-id", self._base).option(
                "end-snapshot-id", self._staged
            )
        else:
            reader = reader.option("versionAsOf", self._staged)
        table = reader.table(self._name)
        return table.where(self._in_partition(table.schema)) if self._spec.partition else table

    def publish(self, judgement: Judgement) -> Output:
        """Move main to the judged snapshot, in one commit.

        :raises PublishError: if a newer attempt has fenced this one off, or main has moved in conflict.
        """
        if self._added:
            self._evolve()
        summary = {**self._summary, "tidegate.verdict": judgement.verdict}
        self._table.label(self._branch, summary)
        note = f"added column {', '.join(self._added)}" if self._added else None
        return self._move(note, summary)

    def _evolve(self) -> None:
        staged = self._spark.table(self._sidecar)
        # A commit guarded by the token, so that a fenced attempt does not get to touch the schema.
        self._table.label(
            self._branch, {**self._summary, "tidegate.evolves": ",".join(self._added)}
        )
        self._spark.sql(f"ALTER TABLE {self._name} ADD COLUMNS ({ddl(staged, self._added)})")
        self._write_branch(staged)
        self._spark.sql(f"DROP TABLE IF EXISTS {self._sidecar} PURGE")

    def _move(self, note: str | None, summary: Mapping[str, str]) -> Output:
        previous = self._table.metadata().refs.get(MAIN)
        moved = self._table.publish(self._branch, self._staged, summary)
        return Output(
            target=self._name,
            rows=self._rows,
            version=moved,
            previous=previous,
            verdict=_verdict(summary),
            note=note,
        )

    def hold(self, judgement: Judgement) -> Output:
        """Leave the judged output on its branch, where on-call can read it; main stays as it is."""
        if self._added:
            head = BranchedTable(self._spark, self._sidecar).metadata().refs.get(MAIN)
        else:
            head = self._table.label(
                self._branch, {**self._summary, "tidegate.verdict": judgement.verdict}
            )
        at = self._sidecar if self._added else f"{self._name}.branch_{self._branch.name}"
        previous = self._table.metadata().refs.get(MAIN)
        return Output(
            target=self._name, rows=self._rows, version=head, previous=previous, held_at=at
        )

    def discard(self) -> None:
        """Drop the staged output and keep the token, so that an older attempt stays fenced off."""
        if self._fenced:
            self._table.drop(self._branch.name)
            self._spark.sql(f"DROP TABLE IF EXISTS {self._sidecar} PURGE")


def _verdict(summary: Mapping[str, str]) -> Verdict:
    return cast("Verdict", summary["tidegate.verdict"])


def _added_records(now: Metadata, ref: str) -> int:
    head = now.refs.get(ref)
    return 0 if head is None else int(now.summary(head).get("added-records", 0))
