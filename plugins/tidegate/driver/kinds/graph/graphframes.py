"""Engine ``graphframes``: the GraphFrames project's algorithms, for whoever adds its jar."""

from collections.abc import Sequence

from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.jvm import jvm_of
from tidegate.driver.kinds.graph.tables import GraphTables
from tidegate.errors import SpecError


def require_graphframes(spark: SparkSession) -> None:
    """Make sure that GraphFrames is there, both its Python package and its jar.

    :raises SpecError: if one is missing.
    """
    try:
        from graphframes import __version__
    except ImportError as missing:
        raise SpecError(
            "engine 'graphframes' needs the Python package graphframes-py: pip install it",
            quote="",
        ) from missing
    loader = jvm_of(spark).Thread.currentThread().getContextClassLoader()
    try:
        loader.loadClass("org.graphframes.GraphFramePythonAPI")
    except Py4JJavaError as missing:  # ClassNotFoundException: told as what to do about it
        raise SpecError(
            "engine 'graphframes' needs its jar: add io.graphframes:graphframes-spark4_2.13:"
            f"{__version__} to spark.jars.packages (or use engine 'graphx', which needs none)",
            quote="",
        ) from missing


def graphframe(tables: GraphTables) -> object:
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

        self._graph = GraphFrame(vertices.withColumnRenamed("vertex", "id"), edges)

    def pagerank(
        self, iterations: int, reset_probability: float, tolerance: float | None
    ) -> DataFrame:
        """Return each vertex's rank, a double, on GraphFrames' own scale."""
        limit: dict[str, float] = {"maxIter": iterations}
        if tolerance is not None:
            limit = {"tol": tolerance}
        ranked = self._graph.pageRank(resetProbability=reset_probability, **limit)
        return _result(ranked.vertices, "pagerank")

    def connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's component, a long."""
        grouped = self._graph.connectedComponents(use_local_checkpoints=True)
        smallest = grouped.groupBy("component").agg(F.min("id").alias("value"))
        return _result(grouped.join(smallest, "component"), "value")

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


def _result(frame: DataFrame, column: str) -> DataFrame:
    return frame.select(F.col("id").alias("vertex"), F.col(column).alias("value"))
