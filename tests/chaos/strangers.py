"""What strangers, disks and clocks do between a stage's write and its publish."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tests.chaos.ground import DAY, OTHER, Ground

Act = Callable[[Ground], object]
HOUR_MS = 3_600_000


class Killed(BaseException):
    """The driver is no more; nothing of it runs on, no ``finally`` either."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to a stage at work.

    :param may: the failures that the attempt may end with; success is always allowed.
    :param end: those that every retry may end with too; empty: a retry publishes.
    :param mend: what on-call does before the retry.
    :param clock_ms: how much earlier than the first try the retry's clock says it is.
    :param disk: whether it needs a small disk of its own.
    """

    name: str
    act: Act
    may: frozenset[str] = frozenset({"PublishError"})
    end: frozenset[str] = frozenset()
    mend: Act | None = None
    clock_ms: int = 0
    disk: bool = False


def _append(day: str) -> Act:
    return lambda ground: ground.add((ground.rng.randint(500, 999), day))


def _sql(text: str) -> Act:
    def act(ground: Ground) -> None:
        ground.sql(text.format(t=ground.name, s=ground.short, c=ground.catalog, day=DAY))

    return act


def _both(first: Act, second: Act) -> Act:
    def act(ground: Ground) -> None:
        first(ground)
        second(ground)

    return act


def _roll_back(ground: Ground) -> None:
    first = ground.sql(f"SELECT snapshot_id FROM {ground.name}.history ORDER BY made_current_at")[0]
    ground.sql(
        f"CALL {ground.catalog}.system.rollback_to_snapshot('{ground.short}', {first.snapshot_id})"
    )


def _drop_refs(*, data: bool, token: bool) -> Act:
    def act(ground: Ground) -> None:
        names = [*(ground.staged(False) if data else ()), *(ground.staged(True) if token else ())]
        for name in names:
            ground.sql(f"ALTER TABLE {ground.name} DROP BRANCH {name}")

    return act


def _remove_orphans(ground: Ground) -> None:
    warehouse = ground.spark.conf.get(f"spark.sql.catalog.{ground.catalog}.warehouse")
    assert warehouse
    ground.age(Path(warehouse.removeprefix("file://")))
    ground.sql(
        f"CALL {ground.catalog}.system.remove_orphan_files(table => '{ground.short}', "
        f"older_than => TIMESTAMP '{date.today() - timedelta(days=2)} 00:00:00')"
    )


def _recreate(ground: Ground) -> None:
    ground.sql(f"DROP TABLE {ground.name}")
    ground.make()


def _fill(ground: Ground) -> None:
    """Fill the disk, but for a little that the seed chooses."""
    disk = _disk(ground)
    filler, spare = disk / "filler", ground.rng.choice((0, 0, 4096, 16384))
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(b"\0" * 4096)
    with filler.open("r+b") as out:
        out.truncate(max(0, filler.stat().st_size - spare))


def _disk(ground: Ground) -> Path:
    warehouse = ground.spark.conf.get(f"spark.sql.catalog.{ground.catalog}.warehouse")
    assert warehouse
    return Path(warehouse)


def _remount(how: str) -> Act:
    def act(ground: Ground) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(_disk(ground))], check=True)

    return act


def _die(ground: Ground) -> None:
    raise Killed


_MOVED = frozenset({"PublishError"})
_SCHEMA = frozenset({"PublishError", "SpecError"})
_EXPIRE = "CALL {c}.system.expire_snapshots(table => '{s}', older_than => now(), retain_last => 1)"
EVENTS = (
    Event(name="append to our day", act=_append(DAY)),
    Event(name="append to another day", act=_append(OTHER)),
    Event(name="delete of our day's rows", act=_sql("DELETE FROM {t} WHERE ds = '{day}'")),
    Event(
        name="rewrite_data_files",
        act=_sql(
            "CALL {c}.system.rewrite_data_files(table => '{s}', options => "
            "map('rewrite-all', 'true'))"
        ),
    ),
    Event(name="expire_snapshots", act=_sql(_EXPIRE)),
    Event(name="append, then expire_snapshots", act=_both(_append(OTHER), _sql(_EXPIRE))),
    Event(name="rollback_to_snapshot", act=_roll_back),
    Event(name="a column added", act=_sql("ALTER TABLE {t} ADD COLUMN note STRING"), may=_SCHEMA,
          end=frozenset({"SpecError"})),
    Event(name="a column dropped", act=_sql("ALTER TABLE {t} DROP COLUMN v"), may=_SCHEMA),
    Event(name="a column renamed", act=_sql("ALTER TABLE {t} RENAME COLUMN v TO w"), may=_SCHEMA,
          end=frozenset({"SpecError"})),
    Event(name="data branch dropped", act=_drop_refs(data=True, token=False)),
    Event(name="token dropped", act=_drop_refs(data=False, token=True)),
    Event(name="both refs dropped", act=_drop_refs(data=True, token=True)),
    Event(name="table dropped", act=_sql("DROP TABLE {t}")),
    Event(name="table dropped and purged", act=_sql("DROP TABLE {t} PURGE")),
    Event(name="table made anew", act=_recreate),
    Event(name="remove_orphan_files", act=_remove_orphans, may=frozenset()),
    Event(name="disk full", act=_fill, may=frozenset({"ResourceExhausted"}), disk=True,
          mend=lambda ground: (_disk(ground) / "filler").unlink(missing_ok=True)),
    Event(name="catalog read-only", act=_remount("ro"), mend=_remount("rw"), disk=True,
          may=frozenset({"SpecError"})),
    Event(name="killed", act=_die, may=frozenset({"killed"})),
    Event(name="killed, clock set back", act=_die, may=frozenset({"killed"}), clock_ms=HOUR_MS),
    Event(name="append, clock set back", act=_append(DAY), clock_ms=HOUR_MS),
)  # fmt: skip
