"""Engine ``graphframes``: the GraphFrames project's algorithms, for whoever adds its jar."""

from collections.abc import Sequence
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tidegate.driver.kinds.graph.tables import GraphTables

_UNTIL_DONE = 2**31 - 1


def graphframe(tables: GraphTables) -> Any:
    """Return a :class:`graphframes.GraphFrame` that has the inputs' other columns too.

    Of a vertex given twice it keeps one row, any; a vertex that only an edge names has nulls in the
    other columns.
    """
    from graphframes import GraphFrame

    declared = tables.vertex_rows.dropDuplicates(["id"])
    every = declared.unionByName(tables.undeclared, allowMissingColumns=True)
    return GraphFrame(every, tables.edge_rows)


class GraphFrames:
    """The algorithms of a :class:`graphframes.GraphFrame` over numbered vertices."""

    def __init__(self, vertices: DataFrame, edges: DataFrame) -> None:
        from graphframes import GraphFrame

        self._vertices = vertices.withColumnRenamed("vertex", "id")
        self._edges = edges
        self._graph = GraphFrame(self._vertices, edges)

    def pagerank(
        self,
        iterations: int,
        reset_probability: float,
        tolerance: float | None,
        source: int | None,
    ) -> DataFrame:
        """Return each vertex's rank, a double; scaled as GraphX does, whose code this calls."""
        limit: dict[str, float] = {"maxIter": iterations}
        if tolerance is not None:
            limit = {"tol": tolerance}
        ranked = self._graph.pageRank(reset_probability, source, **limit)
        return _result(ranked.vertices, "pagerank")

    def connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's component, a long."""
        return _smallest(self._graph.connectedComponents(use_local_checkpoints=True))

    def strongly_connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's strongly connected component, a long."""
        return _smallest(self._graph.stronglyConnectedComponents(maxIter=_UNTIL_DONE))

    def k_core(self) -> DataFrame:
        """Return the largest k of whose k-core each vertex is, an int."""
        from graphframes import GraphFrame

        # It counts each edge it is given: one that is there both ways would count twice.
        ends = (F.least("src", "dst").alias("src"), F.greatest("src", "dst").alias("dst"))
        simple = self._edges.where("src <> dst").select(*ends).distinct()
        cores = GraphFrame(self._vertices, simple).k_core(use_local_checkpoints=True)
        return _result(cores, "kcore")

    def motifs(self, tables: GraphTables, pattern: str) -> DataFrame:
        """Return the matches of a pattern in the graph that ``tables`` hold."""
        found: DataFrame = graphframe(tables).find(pattern)
        return found

    def label_propagation(self, iterations: int) -> DataFrame:
        """Return the vertex that names each vertex's community, a long."""
        return _result(self._graph.labelPropagation(maxIter=iterations), "label")

    def triangle_count(self) -> DataFrame:
        """Return the number of triangles through each vertex."""
        level = StorageLevel.MEMORY_AND_DISK_DESER
        return _result(self._graph.triangleCount(storage_level=level), "count")

    def shortest_paths(self, landmarks: Sequence[int]) -> DataFrame:
        """Return a map of landmark (a long) to hops (an int) for each vertex."""
        return _result(self._graph.shortestPaths(landmarks=list(landmarks)), "distances")


def _smallest(grouped: DataFrame) -> DataFrame:
    smallest = grouped.groupBy("component").agg(F.min("id").alias("value"))
    return _result(grouped.join(smallest, "component"), "value")


def _result(frame: DataFrame, column: str) -> DataFrame:
    return frame.select(F.col("id").alias("vertex"), F.col(column).alias("value"))
