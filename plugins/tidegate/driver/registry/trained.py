"""What a train job hands on: a fitted model and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Trained:
    """A fitted model, and the numbers its gate judges it by."""

    model: object
    metrics: Mapping[str, float]
