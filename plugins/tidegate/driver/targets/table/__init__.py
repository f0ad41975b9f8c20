"""Publish to Iceberg: write to a branch, judge it, move ``main`` in one commit."""

from tidegate.driver.targets.table.target import TableTarget

__all__ = ["TableTarget"]
