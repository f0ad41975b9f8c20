"""Examples of what is wrong: one query for all guilty rules together, bounded for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidegate.driver.gate.gx import Engine, MetricId
from tidegate.driver.gate.plan import EXAMPLES, predicate_of

_VALUES = ".unexpected_values"
_WINDOWS = ("column_values.increasing", "column_values.decreasing")
_ROWS_A_LOOK = 100


@dataclass(frozen=True, kw_only=True)
class Guilty:
    """A rule that some rows broke, and how its examples are told.

    :param broken: the condition on the rows that broke it, its domain included.
    :param columns: the columns whose values are an example, by name.
    :param single: whether an example is one value, and not one for each column.
    :param wanted: how many examples there must be: as many as asked for, or all that there are.
    """

    metric: MetricId
    broken: Column
    columns: Mapping[str, Column]
    single: bool
    paired: bool
    wanted: int

    def example(self, values: Sequence[Any]) -> Any:
        """Return one example in Great Expectations' own shape."""
        if self.single:
            return values[0]
        if self.paired:
            return tuple(values)
        return dict(zip(self.columns, values, strict=True))


def guilty_of(engine: Engine, direct: Any, count: int) -> Guilty | None:
    """Return the rule that a metric lists the values of; None for windows and what GX hides.

    :param count: how many rows broke it.
    """
    metric = direct.metric_configuration
    condition = direct.metric_provider_kwargs["metrics"].get("unexpected_condition")
    is_map = metric.metric_name.endswith(_VALUES) and isinstance(condition, tuple)
    if not is_map or metric.metric_name.removesuffix(_VALUES) in _WINDOWS:
        return None
    broken, compute, accessor = condition
    predicate = predicate_of(engine, {**compute, **accessor})
    if predicate is not None:
        broken = F.when(predicate, broken)
    return Guilty(
        metric=metric.id,
        broken=broken,
        columns={name: F.col(name) for name in _names(accessor)},
        single="column" in accessor,
        paired="column_A" in accessor,
        wanted=min(EXAMPLES, count),
    )


def _names(accessor: Mapping[str, Any]) -> list[str]:
    if "column" in accessor:
        return [accessor["column"]]
    if "column_A" in accessor:
        return [accessor["column_A"], accessor["column_B"]]
    return list(accessor.get("column_list", ()))


def examples(rows: DataFrame, rules: Sequence[Guilty]) -> dict[MetricId, list[Any]]:
    """Return the first examples of each rule, in the order of the rows.

    The rows that break any of the rules are looked at, a hundred a time, until each rule has its
    examples: mostly the first look is enough, and Spark reads no further than it must. Each look
    finishes one rule at least, so there are never more looks than rules.
    """
    found: dict[MetricId, list[Any]] = {}
    left = list(rules)
    while left:
        # Of so many rows, each of which breaks one of the rules, one rule has its examples.
        most = max(_ROWS_A_LOOK, len(left) * max(rule.wanted for rule in left))
        bad = _look(rows, left, most)
        for place, rule in enumerate(left):
            values = list(_examples(place, rule, bad))
            if len(values) >= rule.wanted or len(bad) < most:
                found[rule.metric] = values[: rule.wanted]
        left = [rule for rule in left if rule.metric not in found]
    return found


def _look(rows: DataFrame, rules: Sequence[Guilty], most: int) -> Sequence[Any]:
    flags = [F.coalesce(rule.broken, F.lit(False)) for rule in rules]
    selected = []
    for place, rule in enumerate(rules):
        selected.append(flags[place].alias(f"broken{place}"))
        for number, column in enumerate(rule.columns.values()):
            selected.append(F.when(flags[place], column).alias(f"r{place}c{number}"))
    return rows.where(reduce(or_, flags)).select(*selected).limit(most).collect()


def _examples(place: int, rule: Guilty, bad: Sequence[Any]) -> Iterator[Any]:
    for row in bad:
        if row[f"broken{place}"]:
            yield rule.example([row[f"r{place}c{n}"] for n in range(len(rule.columns))])
