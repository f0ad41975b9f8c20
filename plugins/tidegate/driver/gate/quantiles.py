"""Medians and quantiles of all columns together, in one pass for each relative error.

Great Expectations asks Spark for each column's alone. Its own code still asks, and still makes of
the answers what it makes of them: only who answers is another.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

_QUANTILES = frozenset({"column.median", "column.quantile_values"})
"""The metrics of Great Expectations that ask for quantiles of one column."""


def is_quantile(direct: Any) -> bool:
    """Tell whether a metric, ready to be computed, asks for quantiles of a column's every row."""
    metric = direct.metric_configuration
    return metric.metric_name in _QUANTILES and not metric.metric_domain_kwargs.get("row_condition")


class NotAnswered(Exception):
    """Quantiles were asked for that nobody has computed yet."""


@dataclass
class Quantiles:
    """Stands in for the frame where Great Expectations asks for quantiles.

    :param frame: whose quantiles they are.
    """

    frame: DataFrame
    columns: dict[float, set[str]] = field(default_factory=lambda: defaultdict(set))
    wanted: dict[float, set[float]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[tuple[str, float], dict[float, float]] = field(default_factory=dict)

    def approxQuantile(  # Spark's name
        self, column: str, probabilities: Sequence[float], error: float
    ) -> list[float]:
        """Return the quantiles, if they are known; of a column without values none, as Spark does.

        :raises NotAnswered: if they are not; it is noted that they were asked for.
        """
        known = self.answers.get((column, error))
        if known is None:
            self.columns[error].add(column)
            self.wanted[error].update(probabilities)
            raise NotAnswered
        return [known[each] for each in probabilities if known]

    def compute(self) -> None:
        """Compute what was asked for: Spark takes many columns, but one error, at a time."""
        for error, asked in self.columns.items():
            names = sorted(asked)
            wanted = sorted(self.wanted[error])
            found = self.frame.approxQuantile(names, wanted, error)
            for name, values in zip(names, found, strict=True):
                self.answers[name, error] = dict(zip(wanted, values, strict=False))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)
