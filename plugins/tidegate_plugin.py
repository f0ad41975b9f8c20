"""Airflow loads every file of this folder; this one points it at the package beside it."""

from tidegate.plugin import TidegatePlugin

__all__ = ["TidegatePlugin"]
