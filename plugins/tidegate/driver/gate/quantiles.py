"""Medians and quantiles of all columns together, in one pass for each relative error.

Great Expectations asks Spark for each column's alone. Its own code still asks, and still makes of
the answers what it makes of them: only who answers is another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

_QUANTILES = frozenset({"column.median", "column.quantile_values"})
"""The metrics of Great Expectations that ask for quantiles of one column."""

Asked = tuple[str, tuple[float, ...], float]
"""A column, the probabilities and the relative error."""


def is_quantile(metric: Any) -> bool:
    """Tell whether a metric asks for quantiles of one column, over all rows."""
    return metric.metric_name in _QUANTILES and not metric.metric_domain_kwargs.get("row_condition")


class NotAnswered(Exception):
    """Quantiles were asked for that nobody has computed yet."""


@dataclass
class Quantiles:
    """Stands in for the frame where Great Expectations asks for quantiles.

    :param frame: whose quantiles they are.
    """

    frame: DataFrame
    asked: list[Asked] = field(default_factory=list)
    answers: dict[Asked, list[float]] = field(default_factory=dict)

    def approxQuantile(  # Spark's name
        self, column: str, probabilities: Sequence[float], error: float
    ) -> list[float]:
        """Return the quantiles, if they are known.

        :raises NotAnswered: if they are not; it is noted that they were asked for.
        """
        question = (column, tuple(probabilities), float(error))
        if question not in self.answers:
            self.asked.append(question)
            raise NotAnswered
        return self.answers[question]

    def compute(self) -> None:
        """Compute what was asked for: Spark takes many columns, but one error, at a time."""
        for error in sorted({error for _, _, error in self.asked}):
            alike = [question for question in self.asked if question[2] == error]
            columns = sorted({column for column, _, _ in alike})
            wanted = sorted({each for _, probabilities, _ in alike for each in probabilities})
            found = self.frame.approxQuantile(columns, wanted, error)
            by_column = dict(zip(columns, found, strict=True))
            for column, probabilities, _ in alike:
                # Of a column without values, Spark returns none, whatever was asked.
                known = dict(zip(wanted, by_column[column], strict=False))
                answer = [known[each] for each in probabilities if each in known]
                self.answers[column, probabilities, error] = answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)
