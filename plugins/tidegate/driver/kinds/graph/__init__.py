"""The graph kind: what a job is offered, its two tables, and an engine a file."""

from tidegate.driver.kinds.graph.keeping import keeping
from tidegate.driver.kinds.graph.offer import Graph, produce

__all__ = ["Graph", "keeping", "produce"]
