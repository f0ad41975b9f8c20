"""Builders with full defaults: a test names only what it is about."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from tidegate.contract import Attempt, Expectation, Judgement, Output, StageSpec, Suite
from tidegate.driver.gate.facts import FileFacts
from tidegate.driver.targets.target import Fenced, Staged, Target
from tidegate.errors import PublishError

_clock = count(1_700_000_000_000)

PASS = Judgement(verdict="pass")
CLOSED = Judgement(
    verdict="closed",
    expectations=(
        Expectation(
            id="1",
            type="expect_x",
            severity="critical",
            success=False,
            kwargs={"column": "c", "min_value": 0, "max_value": 1},
            observed=2,
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


class Verdict:
    """A gate that has made up its mind."""

    def __init__(self, judgement: Judgement = PASS) -> None:
        self._judgement = judgement

    def plan(self, schema: StructType) -> None:
        """Do nothing: the verdict is known."""

    def judge(self, staged: DataFrame, facts: FileFacts | None = None) -> Judgement:
        return self._judgement

    def data_docs(self) -> str:
        return ""

    def row_rules(self) -> list[Any]:
        return []


class Stepwise:
    """Takes a target's steps one at a time, for tests in which attempts get in each other's way."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._begun: Fenced | None = None
        self._staged: Staged | None = None

    def begin(self) -> Output | None:
        """Return an output if nothing is left to do."""
        begun = self._target.begin()
        if isinstance(begun, Output):
            return begun
        self._begun = begun
        return None

    def stage(self, output: object) -> Staged:
        assert self._begun is not None
        self._staged = self._begun.write_aside(output, Verdict())
        return self._staged

    def publish(self, judgement: Judgement) -> Output:
        return self._settled().publish(judgement)

    def hold(self, judgement: Judgement) -> Output:
        return self._settled().hold(judgement)

    def discard(self) -> None:
        """Do what ``settle`` does: drop what has no verdict yet, and nothing else."""
        for step in (self._begun, self._staged):
            if step is not None:
                step.discard()

    def _settled(self) -> Staged:
        staged = self._staged
        assert staged is not None
        self._begun = None
        self._staged = None
        return staged


STEPS: dict[str, Callable[[Stepwise, DataFrame], object]] = {
    "begin": lambda target, data: target.begin(),
    "stage": lambda target, data: target.stage(data),
    "publish": lambda target, data: target.publish(PASS),
}


def wake_up_late(
    older: Stepwise,
    newer: Stepwise,
    asleep_before: str,
    newer_ends: str,
    rows: tuple[DataFrame, DataFrame],
    look: Callable[[], object],
) -> None:
    """Have an attempt sleep before a step, a newer one end meanwhile, and see the older one fenced.

    :param rows: of the older attempt, and of the newer.
    :param look: what readers see.
    """
    steps = list(STEPS)
    at = steps.index(asleep_before)
    for step in steps[:at]:
        STEPS[step](older, rows[0])
    newer.begin()
    if newer_ends != "failed":
        newer.stage(rows[1])
    if newer_ends == "published":
        newer.publish(PASS)
    elif newer_ends == "held":
        newer.hold(CLOSED)
    elif newer_ends == "failed":
        newer.discard()
    before = look()
    with pytest.raises(PublishError, match="fenced off"):
        for step in steps[at:]:
            STEPS[step](older, rows[0])
    assert look() == before
