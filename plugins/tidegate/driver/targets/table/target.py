"""A table as the target of a stage: what an earlier try left, and the fence."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from tidegate.contract import Merge, Output, StageSpec
from tidegate.driver.gate import Gate
from tidegate.driver.jvm.catalogs import create_table
from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.branches import BranchedTable, fenced_off
from tidegate.driver.targets.table.fence import Fence
from tidegate.driver.targets.table.merge import (
    check_columns,
    stored_names,
    to_store,
    unstored_names,
)
from tidegate.driver.targets.table.merged import MergedTable, RowsToMerge, rows_to_merge
from tidegate.driver.targets.table.metadata import MAIN, Branch
from tidegate.driver.targets.table.names import column, quoted_table
from tidegate.driver.targets.table.schema import OUTSIDE, check_names, fit, with_partition
from tidegate.driver.targets.table.staged import (
    InSidecar,
    OnBranch,
    Written,
    move,
    put_aside,
    write_branch,
)
from tidegate.driver.targets.table.writes import Place, check_partitioning, write_mode
from tidegate.errors import JobError, PublishError, SpecError, TidegateError

Aside = OnBranch | InSidecar | RowsToMerge | MergedTable


class TableTarget:
    """Publishes to the Iceberg table ``spec.writes``, which is created on first use.

    ``fingerprint`` names the work: an attempt that finds it on a snapshot need not do it again.

    :raises SpecError: if the table's catalog is not configured.
    """

    def __init__(self, spark: SparkSession, spec: StageSpec, fingerprint: str) -> None:
        self._spark = spark
        self._spec = spec
        self._name = spec.target
        catalog = self._name.partition(".")[0]
        if "iceberg" not in (spark.conf.get(f"spark.sql.catalog.{catalog}", None) or ""):
            raise SpecError(
                f"writes={self._name!r}: Spark knows no Iceberg catalog {catalog!r}; "
                f"add spark.sql.catalog.{catalog} to spark-defaults.conf "
                "(see conf/spark-defaults.conf)"
            )
        self._place = Place(
            spark=spark,
            table=BranchedTable(spark, self._name),
            branch=Branch.of(spec.key, spec.attempt),
            provenance=Provenance.of(spec, fingerprint),
        )

    @property
    def _fence(self) -> Fence:
        return Fence(self._place.table, self._place.branch, self._place.provenance)

    def begin(self) -> "Unmade | FencedTable | Output":
        """Fence off older attempts; publish at once what a try of this run left judged and passed.

        :raises PublishError: if a newer attempt has begun.
        :raises SpecError: if this run has already appended other rows.
        """
        if not self._spark.catalog.tableExists(self._name):
            return Unmade(self)
        self._take_turn()
        published = self._fence.published(once=self._spec.once_a_run)
        if published is not None:
            return self._already(published)
        # Looked for before the fence is raised: raising it removes the older attempts' branches.
        left = self._fence.passed()
        fenced = self.fence_off()
        if left is None:
            return fenced
        return self._resume(left)

    def fence_off(self) -> "FencedTable":
        """Open the attempt's refs on a table that is there, and remove the older ones'.

        :raises PublishError: if a newer attempt has begun, or an older try of this run has appended
            its rows while this one began.
        """
        self._take_turn()  # of a table made since, nothing was known before
        before = self._fence.raise_()
        if self._spec.once_a_run:
            self._require_unpublished()
        # Dropped behind the fence: before it, an older attempt may still be about to publish from
        # its sidecar. Killed here, this attempt leaves its refs, and the next looks again.
        if before.rivals(self._place.branch):
            self._place.drop_older_sidecars()
        return FencedTable(self._spec, self._place, before.refs.get(MAIN))

    def create(self, frame: DataFrame) -> None:
        """Create the table, empty; until the first publish its readers see no rows.

        Refs need a table to be on, so this comes before the fence; of attempts that begin together
        one creates it, and the others find it.
        """
        namespace = quoted_table(self._name.rpartition(".")[0])
        self._spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
        try:
            # Not SQL: a column's name comes from data, and would be text that Spark parses.
            create_table(frame, self._name, by=self._spec.partition)
        except AnalysisException:
            # Another attempt has created it meanwhile: that one will do.
            if not self._spark.catalog.tableExists(self._name):
                raise

    def _take_turn(self) -> None:
        self._place = self._place.at_turn(self._fence.turn())

    def _require_unpublished(self) -> None:
        # Looked for again, behind the fence: until it rose, an older try could still publish, and
        # the same rows would be appended twice. Replacing does no harm twice, so only appends ask.
        place = self._place
        with ExitStack() as undo:
            undo.callback(place.table.drop, place.branch.name, place.branch.token)
            snapshot = self._fence.published(once=True)
            if snapshot is None:
                undo.pop_all()
                return
        raise PublishError(
            f"{self._name}: this run's rows were published while this try began (snapshot "
            f"{snapshot}); the next try finds them there"
        )

    @property
    def spec(self) -> StageSpec:
        """What was asked."""
        return self._spec

    def _already(self, snapshot: int) -> Output:
        summary = self._fence.clear().summary(snapshot)
        if self._spec.merge:
            # They are dropped after main has moved, and the driver may have been killed between.
            self._place.drop_older_sidecars()
        found = Provenance.read(summary) or self._place.provenance
        note = f"already published by try {found.try_number}"
        return Output(target=self._name, version=snapshot, verdict=found.verdict, note=note)

    def _resume(self, left: int) -> Output:
        self._place.table.adopt(self._place.branch, left)
        now = self._place.table.metadata()
        judged = Provenance.read(now.summary(left)) or self._place.provenance
        # Under the empty snapshot with the verdict lies the one with the data.
        data = now.snapshots[left].get("parent-snapshot-id")
        rows = judged.rows or 0
        if data and judged.rows is None:
            rows = int(now.summary(data).get("added-records", 0))
        note = f"judged by try {judged.try_number}; no work was done again"
        return move(self._place, Written(data, rows), judged, note)


@dataclass(frozen=True)
class Unmade:
    """A table that does not exist yet: there is nothing to fence until its columns are known."""

    target: TableTarget

    def write_aside(self, output: object, gate: Gate) -> Aside:
        """Create the table, fence older attempts off, and write to this one's branch.

        :raises SpecError: if the output is no frame.
        :raises PublishError: if a newer attempt has begun.
        """
        frame = with_partition(frame_of(output, self.target.spec), self.target.spec.partition, None)
        check_names(frame, self.target.spec)
        self.target.create(_of_table(frame, self.target.spec))
        fenced = self.target.fence_off()
        with ExitStack() as undo:
            # Nobody else knows of these refs until something is written.
            undo.callback(fenced.discard)
            staged = fenced.write_aside(output, gate)
            undo.pop_all()
        return staged

    def discard(self) -> None:
        """Do nothing: there are no refs of this attempt yet."""


@dataclass(frozen=True)
class FencedTable:
    """A table on which this attempt has its pair of refs. ``base`` is main when it opened them."""

    spec: StageSpec
    place: Place
    base: int | None

    def write_aside(self, output: object, gate: Gate) -> Aside:
        """Write the output to this attempt's branch, in one pass.

        :raises SpecError: if the output is no frame, or drops or retypes a column of the table, or
            lacks one that its merge asks for.
        :raises DataError: if rows that are to be merged have no key of their own.
        :raises JobError: if a row lies outside the stage's partition.
        :raises PublishError: if a newer attempt has begun.
        """
        now = self.place.table.metadata()
        schema = self.place.schema
        frame = with_partition(frame_of(output, self.spec), self.spec.partition, schema)
        check_names(frame, self.spec)
        # Before the columns: with another partition column, the table's own seems to be missing.
        check_partitioning(self.spec, now)
        fitted, added = fit(_of_table(frame, self.spec), schema, self.place.table.name)
        merge = self.spec.merge
        try:
            if merge is not None:
                rows = frame.select(*map(column, [*fitted.columns, *unstored_names(merge)]))
                return self._to_merge(rows, merge, added, gate)
            if added:
                return self._beside(fitted, added, gate)
            gate.plan(schema)
            return self._on_branch(fitted)
        except (Py4JJavaError, PySparkException) as error:
            # Spark tells a lost branch and a refused row alike, as a failed write. What is neither
            # is raised as it is: the diagnosis reads its causes.
            meaning = self._meaning(error)
            if meaning is None:
                raise
            raise meaning from error

    def discard(self) -> None:
        """Drop what was written aside; the token stays, so that older attempts stay fenced off."""
        self.place.discard()

    def _on_branch(self, frame: DataFrame) -> OnBranch:
        mode = write_mode(self.spec)
        written = write_branch(frame, mode, self.place)
        if written.snapshot is None:
            nothing = self.place.spark.table(self.place.table.name).limit(0)
            return OnBranch(self.place, written, nothing)
        read_back = mode.rows_of(self.place, written.snapshot, self.base)
        return OnBranch(self.place, written, read_back)

    def _beside(self, frame: DataFrame, added: list[str], gate: Gate) -> InSidecar:
        place = self.place
        gate.plan(frame.schema)
        return InSidecar(place, write_mode(self.spec), added, put_aside(frame, place))

    def _to_merge(
        self, rows: DataFrame, merge: Merge, added: list[str], gate: Gate
    ) -> RowsToMerge | MergedTable:
        gate.plan(to_store(rows, merge).schema)
        return rows_to_merge(rows, merge, added, self.place).as_asked()

    def _meaning(self, error: Exception) -> TidegateError | None:
        table = self.place.table
        now = table.metadata()
        if self.place.branch.token not in now.refs:
            return fenced_off(table.name, now, self.place.branch)
        for line in str(error).splitlines():
            if OUTSIDE in line:
                row = line.partition(f"{OUTSIDE}: ")[2].partition(" SQLSTATE: ")[0][:160]
                return JobError(
                    f"{table.name}: {OUTSIDE}",
                    quote=f"{row}; it writes {dict(self.spec.partition)}: leave such rows out, or "
                    "the column, which is then added",
                )
        return None


def _of_table(frame: DataFrame, spec: StageSpec) -> DataFrame:
    """Return the columns of an output that its table holds.

    :raises SpecError: if it lacks one that its merge asks for.
    """
    if spec.merge is None:
        return frame
    check_columns(frame, spec.merge, spec.target)
    return frame.select(*map(column, stored_names(frame, spec.merge)))


def frame_of(output: object, spec: StageSpec) -> DataFrame:
    """Return a job's output, if a table can be made of it.

    :raises SpecError: if it is no frame.
    """
    if not isinstance(output, DataFrame):
        given = type(output).__name__
        job = Path(spec.job or "").name
        raise SpecError(
            f"job {job}: run() returned {given}; return a pyspark DataFrame, the rows of "
            f"{spec.target}"
        )
    return output
