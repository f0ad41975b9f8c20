"""Publish to Iceberg: write to a branch, judge it, and move ``main`` in one commit. Nothing else commits to a table."""

from tidegate.driver.publish.target import TableTarget

__all__ = ["TableTarget"]
