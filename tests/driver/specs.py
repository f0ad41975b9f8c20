"""Builders with full defaults: a test names only what it is about."""

from itertools import count
from typing import Any

from tidegate.contract import Attempt, Expectation, Judgement, StageSpec, Suite

_clock = count(1_700_000_000_000)

PASS = Judgement(verdict="pass")
CLOSED = Judgement(
    verdict="closed",
    expectations=(
        Expectation(
            type="expect_x",
            column="c",
            severity="critical",
            success=False,
            bound="0 .. 1",
            observed="2",
        ),
    ),
)


def attempt(**overrides: Any) -> Attempt:
    """Return an attempt that was submitted after every one before it."""
    given = {
        "dag_id": "d",
        "task_id": "t",
        "run_id": "r1",
        "map_index": -1,
        "try_number": 1,
        "generation": 2,
    }
    return Attempt(**{**given, "submitted_ms": next(_clock), **overrides})


def spec(writes: str | None = "lake.db.t", **overrides: Any) -> StageSpec:
    """Return a spec; keys of an attempt go to its attempt."""
    own = {key: overrides.pop(key) for key in set(overrides) & set(Attempt.__dataclass_fields__)}
    given: dict[str, Any] = {
        "kind": "batch",
        "attempt": attempt(**own),
        "reads": (),
        "suite": Suite(name="s", document={"expectations": []}),
        "params": {},
        "folder": "",
        "writes": writes,
    }
    return StageSpec(**{**given, **overrides})
