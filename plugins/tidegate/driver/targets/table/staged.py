"""Rows written aside: on the attempt's branch, or, where a column is new, in a sidecar table."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from tidegate.contract import Judgement, Outcome, Output
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.jvm.catalogs import add_columns, create_table
from tidegate.driver.targets.provenance import Provenance
from tidegate.driver.targets.table.branches import BranchedTable, fenced_off
from tidegate.driver.targets.table.file_facts import facts_of_added
from tidegate.driver.targets.table.metadata import MAIN, Metadata
from tidegate.driver.targets.table.names import column
from tidegate.driver.targets.table.writes import Place, WriteMode
from tidegate.errors import PublishError


@dataclass(frozen=True)
class Written:
    """What a write left aside: its snapshot (None: it added and removed nothing), its rows."""

    snapshot: int | None
    rows: int


def write_branch(frame: DataFrame, mode: WriteMode, place: Place) -> Written:
    """Write a frame to the attempt's branch, in one pass.

    :raises PublishError: if a newer attempt has removed the branch.
    """
    now = place.table.metadata()
    before = now.refs.get(place.branch.name)
    if before is None:
        # A newer attempt has removed it; written to all the same, Iceberg would create it anew.
        raise fenced_off(place.table.name, now, place.branch)
    mode.write(frame, place, now)
    after = place.table.metadata()
    head = after.refs[place.branch.name]
    if head == before:
        return Written(None, 0)
    return Written(head, added_records(after, place.branch.name))


def added_records(now: Metadata, ref: str) -> int:
    """Return how many rows the snapshot at ``ref`` added, by its own count."""
    head = now.refs.get(ref)
    if head is None:
        return 0
    return int(now.summary(head).get("added-records", 0))


def put_aside(frame: DataFrame, place: Place) -> Written:
    """Write a frame to the attempt's sidecar, in one pass.

    :raises PublishError: if a newer attempt has begun.
    """
    now = place.table.metadata()
    if place.branch.token not in now.refs:
        # Before the work, which nobody would publish: what is written aside asks for no fence.
        raise fenced_off(place.table.name, now, place.branch)
    # Not IF NOT EXISTS: one that is there is another driver's of this very attempt.
    create_table(frame, place.sidecar)
    place.writer(frame, place.sidecar).append()
    after = BranchedTable(place.spark, place.sidecar).metadata()
    return Written(after.refs.get(MAIN), added_records(after, MAIN))


@contextmanager
def put_away(place: Place) -> Iterator[None]:
    """Drop the sidecar of an attempt that turns out to be fenced off: nobody else might."""
    try:
        yield
    except PublishError:
        if place.branch.token not in place.table.metadata().refs:
            with suppress(Py4JError, PySparkException):  # what is left, the next attempt drops
                place.drop_sidecar()
        raise


def evolve(frame: DataFrame, added: list[str], place: Place) -> None:
    """Add columns of a judged frame to the table.

    :raises PublishError: if a newer attempt has fenced this one off.
    """
    # A commit guarded by the token, so that a fenced attempt does not get to touch the schema.
    evolves = {"tidegate.evolves": ",".join(added)}
    place.table.label(place.branch, {**place.provenance.as_summary(), **evolves})
    # Before the rows: a branch has no schema of its own to take the new columns. Killed right after
    # this, the table has a column of nulls, and the retry's output fits it as it is.
    add_columns(frame.select(*map(column, added)), place.table.name)


def move(place: Place, written: Written, provenance: Provenance, note: str | None) -> Output:
    """Move main to what is on the branch, in one commit.

    :raises PublishError: if a newer attempt has fenced this one off, or main moved in conflict.
    """
    # Only told, never acted on: another partition's publish may come between this look and the
    # commit, which looks again itself.
    previous = place.table.metadata().refs.get(MAIN)
    summary = provenance.as_summary()
    moved = place.table.publish(place.branch, written.snapshot, summary)
    return Output(
        target=place.table.name,
        rows=written.rows,
        version=moved,
        previous=previous,
        verdict=provenance.verdict,
        note=note,
    )


@dataclass(frozen=True)
class OnBranch:
    """Rows on the attempt's branch of the table itself."""

    place: Place
    written: Written
    frame: DataFrame
    let_through: Outcome = "published"
    note: str | None = None

    @property
    def rows(self) -> int:
        """How many rows were written, as Iceberg counted them."""
        return self.written.rows

    @property
    def facts(self) -> FileFacts | None:
        """What the written files say of themselves.

        :raises PublishError: if the table was dropped, or made anew, while this attempt worked.
        """
        table = self.place.table
        now = table.metadata()
        if self.written.snapshot is None:
            return FileFacts(rows=0)
        if self.written.snapshot not in now.snapshots:
            raise fenced_off(table.name, now, self.place.branch)
        return facts_of_added(self.place.spark, table.name, self.written.snapshot)

    def publish(self, judgement: Judgement) -> Output:
        """Move main to the judged snapshot, in one commit.

        :raises PublishError: if a newer attempt has fenced this one off, or main moved in conflict.
        """
        judged = self.place.provenance.judged(judgement.verdict)
        # The verdict is committed to the branch first: killed between this commit and the next,
        # the attempt leaves work that its retry finds judged and publishes without a job.
        self.place.table.label(self.place.branch, judged.as_summary())
        return move(self.place, self.written, judged, self.note)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the judged rows on their branch, where on-call can read them."""
        judged = self.place.provenance.judged(judgement.verdict)
        # Labelled as a published one is: whoever reads the branch sees the verdict, and Iceberg's
        # maintenance may remove it one day.
        head = self.place.table.label(self.place.branch, judged.as_summary())
        return Output(
            target=self.place.table.name,
            rows=self.rows,
            version=head,
            previous=self.place.table.metadata().refs.get(MAIN),
            held_at=self.place.name,
        )

    def discard(self) -> None:
        """Drop the rows, keeping the fence, where judging them failed."""
        self.place.discard()


@dataclass(frozen=True)
class InSidecar:
    """Rows in a table of their own, because a schema belongs to a table and not to a branch.

    :param added: the columns that the table does not have yet.
    """

    place: Place
    mode: WriteMode
    added: list[str]
    written: Written
    let_through: Outcome = field(default="published", init=False)

    @property
    def rows(self) -> int:
        """How many rows were written, as Iceberg counted them."""
        return self.written.rows

    @property
    def frame(self) -> DataFrame:
        """The sidecar, as it was written."""
        reader = self.place.spark.read
        if self.written.snapshot is not None:
            reader = reader.option("versionAsOf", self.written.snapshot)
        return reader.table(self.place.sidecar)

    @property
    def facts(self) -> FileFacts | None:
        """What the written files say of themselves."""
        if self.written.snapshot is None:
            return FileFacts(rows=0)
        return facts_of_added(self.place.spark, self.place.sidecar, self.written.snapshot)

    def publish(self, judgement: Judgement) -> Output:
        """Add the columns, copy the rows to the branch, and move main, in this order.

        :raises PublishError: if a newer attempt has fenced this one off, or main moved in conflict.
        """
        judged = self.place.provenance.judged(judgement.verdict)
        with self.on_branch() as copied:
            # As on a branch: what a kill leaves between these two commits, a retry publishes.
            self.place.table.label(self.place.branch, judged.as_summary())
            return move(self.place, copied.written, judged, copied.note)

    @contextmanager
    def on_branch(self) -> Iterator[OnBranch]:
        """Add the columns, copy the judged rows to the branch, and hand them over.

        :raises PublishError: if a newer attempt has fenced this one off.
        """
        place = self.place
        with put_away(place):
            evolve(self.frame, self.added, place)
            written = write_branch(self.frame, self.mode, place)
            # Only now: until the rows are on the branch, the sidecar is the only copy of judged
            # work.
            place.drop_sidecar()
            note = f"added column {', '.join(self.added)}"
            yield OnBranch(place, written, place.spark.table(place.table.name), note=note)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the judged rows in the sidecar; the table's schema stays as it is."""
        return Output(
            target=self.place.table.name,
            rows=self.rows,
            version=self.written.snapshot,
            previous=self.place.table.metadata().refs.get(MAIN),
            held_at=self.place.sidecar,
        )

    def discard(self) -> None:
        """Drop the rows, keeping the fence, where judging them failed."""
        self.place.discard()
