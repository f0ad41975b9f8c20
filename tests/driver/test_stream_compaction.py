"""Compaction of what a stream wrote: fewer files, the same rows, nobody disturbed."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from streams import StreamBench

from tidegate.contract import Report
from tidegate.driver.__main__ import FAILED
from tidegate.driver.jvm.rewrite import DataFile, Rewrite
from tidegate.driver.stream import compaction
from tidegate.driver.targets.provenance import COMPACTS
from tidegate.driver.targets.table.compact import worthwhile
from tidegate.driver.targets.table.metadata import MAIN
from tidegate.driver.targets.table.stream import StreamTable


class Bench(StreamBench):
    """A stream of a file a micro-batch, which compacts."""

    def take(self, *ids: int, **overrides: Any) -> tuple[int, Report]:
        for each in ids:
            self.land(each)
        return self.run(**{"max_per_batch": 1, "expectations": [], "compact": 3, **overrides})

    def files(self) -> list[str]:
        """Return the data files that readers of main read."""
        self.spark.catalog.refreshTable(self.table)
        rows = self.spark.sql(f"SELECT file_path FROM {self.table}.files").collect()
        return [row.file_path for row in rows]

    def compactions(self) -> int:
        """Return how many snapshots on main are of a compaction."""
        now = self.metadata()
        return sum(COMPACTS in now.summary(each) for each in now.history(MAIN))

    def interrupt(self, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
        """Have something happen between a compaction's reading of files and its commit."""
        write = Rewrite.write

        def writing(rewrite: Rewrite, target: int) -> None:
            write(rewrite, target)
            act()

        monkeypatch.setattr(Rewrite, "write", writing)

    def data(self) -> set[Path]:
        """Return the data files on the disk, read by anybody or not."""
        location = Path(self.files()[0].removeprefix("file:")).parent
        return set(location.rglob("*.parquet"))


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> Bench:
    return Bench(spark, tmp_path)


def test_many_small_files_become_one_and_the_stream_goes_on(bench: Bench) -> None:
    code, _ = bench.take(*range(7))
    assert (code, bench.ids(), bench.numbers()) == (0, list(range(7)), list(range(7)))
    assert (bench.compactions(), len(bench.files())) == (2, 2)
    assert f"compaction of {bench.table}: 3 files became 1" in bench.told()
    # It counts on where the run before has left off.
    code, _ = bench.take(7, 8, run_id="r2")
    assert (code, bench.ids(), bench.compactions()) == (0, list(range(9)), 3)
    assert set(bench.metadata().refs) == {"main"}


def test_main_is_the_truth_behind_a_compaction_too(bench: Bench) -> None:
    bench.take(1, 2, 3)
    assert COMPACTS in bench.metadata().summary(bench.metadata().refs["main"])
    bench.lose_checkpoint()
    code, report = bench.take(4, run_id="r2", compact=None)
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2, 3, 4], [0, 1, 2, 3])
    assert report.flow is not None
    assert report.flow.rebuilt == "there is none"


def test_expired_snapshots_behind_a_compaction_take_no_offsets_with_them(bench: Bench) -> None:
    bench.take(1, 2, 3)
    catalog, _, short = bench.table.partition(".")
    bench.spark.sql(
        f"CALL {catalog}.system.expire_snapshots(table => '{short}', "
        "older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)"
    )
    assert len(bench.metadata().snapshots) == 1
    bench.lose_checkpoint()
    code, _ = bench.take(4, run_id="r2")
    assert (code, bench.ids(), bench.numbers()) == (0, [1, 2, 3, 4], [3])


def test_by_the_clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.take(1, 2, compact="1 hour")
    assert bench.compactions() == 0
    now = compaction.time()
    monkeypatch.setattr(compaction, "time", lambda: now + 3601)
    bench.take(3, 4, run_id="r2", compact="1 hour")
    assert (bench.compactions(), bench.ids()) == (1, [1, 2, 3, 4])


def test_what_others_wrote_stays_as_it_is(bench: Bench) -> None:
    bench.take(1)
    for number in (100, 101):
        bench.spark.sql(f"INSERT INTO {bench.table} VALUES ({number}, 1.0)")
    theirs = set(bench.files())
    bench.take(2, 3, run_id="r2")
    assert (bench.compactions(), bench.ids()) == (1, [1, 2, 3, 100, 101])
    assert len(theirs & set(bench.files())) == 2
    assert len(bench.files()) == 3


def test_rows_that_others_add_meanwhile_stay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    add = f"INSERT INTO {bench.table} VALUES (100, 1.0)"
    bench.interrupt(monkeypatch, lambda: bench.spark.sql(add))
    code, _ = bench.take(1, 2, 3, 4)
    assert (code, bench.ids(), bench.compactions()) == (0, [1, 2, 3, 4, 100], 1)


@pytest.mark.parametrize(
    "change", ["DELETE FROM {} WHERE id = 2", "UPDATE {} SET v = 7 WHERE id = 2"]
)
@pytest.mark.parametrize("mode", ["copy-on-write", "merge-on-read"])
def test_in_the_way_of_others_it_is_skipped_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: str, mode: str
) -> None:
    bench.take(1)
    modes = ", ".join(f"'write.{each}.mode'='{mode}'" for each in ("delete", "update"))
    bench.spark.sql(f"ALTER TABLE {bench.table} SET TBLPROPERTIES ({modes})")
    with monkeypatch.context() as meanwhile:
        bench.interrupt(meanwhile, lambda: bench.spark.sql(change.format(bench.table)))
        code, _ = bench.take(2, 3, 4, run_id="r2")
    left = [1, 3, 4] if "DELETE" in change else [1, 2, 3, 4]
    assert (code, bench.ids(), bench.compactions()) == (0, left, 0)
    assert "skipped, and tried again later" in bench.told()
    code, _ = bench.take(5, 6, run_id="r3")
    assert (code, bench.ids(), bench.compactions()) == (0, [*left, 5, 6], 1)
    values = {row.id: row.v for row in bench.spark.table(bench.table).collect()}
    assert values.get(2) == (None if "DELETE" in change else 7.0)


def test_a_zombie_compacts_nothing_over_a_newer_driver(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.take(1, 2)
    newer = bench.spec(run_id="newer")
    before: list[Any] = []

    def overtaken() -> None:
        StreamTable(bench.spark, newer, "work").begin(bench.spark.table(bench.table))
        before.append(bench.metadata().refs["main"])

    with monkeypatch.context() as meanwhile:
        bench.interrupt(meanwhile, overtaken)
        older = newer.attempt.submitted_ms - 1
        code, report = bench.take(3, run_id="older", submitted_ms=older)
    assert (code, bench.compactions()) == (FAILED, 0)
    assert report.failure is not None
    assert "fenced off" in report.failure.message
    assert bench.metadata().refs["main"] == before[0]
    # What it had written is gone.
    assert len(bench.data()) == len(bench.files()) == 3


def test_a_file_larger_than_all_smaller_ones_together_waits() -> None:
    def chosen(*sizes: int) -> list[int]:
        files = [DataFile(None, size, 1, "p") for size in sizes]
        return [file.size for file in worthwhile(files, 75)]

    assert chosen(1, 1, 1) == [1, 1, 1]
    assert chosen(1, 1, 1, 3) == [1, 1, 1, 3]
    assert chosen(1, 1, 1, 9) == [1, 1, 1]
    assert chosen(1) == []
    assert chosen(1, 80) == []


def test_each_partition_by_itself() -> None:
    files = [DataFile(None, 1, 1, name) for name in ("a", "b", "a")]
    assert [file.partition for file in worthwhile(files, 75)] == ["a", "a"]
