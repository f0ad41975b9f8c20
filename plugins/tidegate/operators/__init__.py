"""The operators that DAGs are made of: five kinds of stage, one class each."""

from tidegate.contract import Merge
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
    "Merge",
    "SqlStageOperator",
    "StreamStageOperator",
    "TrainStageOperator",
]
