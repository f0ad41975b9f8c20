"""The operators that DAGs are made of: five kinds of stage, one class each."""

from tidegate.operators.stages import (
    BatchStageOperator,
    GateOperator,
    GraphStageOperator,
    SqlStageOperator,
    TrainStageOperator,
)
from tidegate.operators.streams import StreamStageOperator

__all__ = [
    "BatchStageOperator",
    "GateOperator",
    "GraphStageOperator",
    "SqlStageOperator",
    "StreamStageOperator",
    "TrainStageOperator",
]
