"""Publish control for Spark on Airflow: a stage writes aside, is judged, and then published."""

from importlib import import_module

__version__ = "0.1.0"

__all__ = [
    "BatchStageOperator",
    "GateOperator",
    "GraphStageOperator",
    "Merge",
    "SqlStageOperator",
    "StreamStageOperator",
    "TrainStageOperator",
]


def __getattr__(name: str) -> object:
    # On first use: the driver imports this package too, and has no Airflow.
    if name in __all__:
        return getattr(import_module("tidegate.operators"), name)
    raise AttributeError(f"module 'tidegate' has no attribute {name!r}")
