"""Engine ``graphx``: Spark's own GraphX, in the driver's JVM.

There is no jar to add, and no row passes through Python. It works on the JVM's own objects, as
PySpark's MLlib does, so Spark Connect cannot run it.
"""

from collections.abc import Sequence
from functools import cached_property

from py4j.java_gateway import JavaObject, JVMView
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tidegate.driver.jvm import frame_of, hops_encoder, jvm_of, rdd_of, row_encoder
from tidegate.errors import SpecError

_UNTIL_DONE = 2**31 - 1


class GraphX:
    """The algorithms of ``org.apache.spark.graphx.lib`` over numbered vertices.

    The graph is built on first use and kept in memory, spilling to disk, for all calls after it.
    """

    def __init__(self, vertices: DataFrame, edges: DataFrame) -> None:
        self._vertices = vertices
        self._edges = edges
        self._spark = vertices.sparkSession
        self._jvm = jvm_of(self._spark)
        self._lib = self._jvm.org.apache.spark.graphx.lib
        self._encoders = self._jvm.org.apache.spark.sql.Encoders
        self._tag = self._jvm.scala.reflect.ClassTag.Int()

    def pagerank(
        self,
        iterations: int,
        reset_probability: float,
        tolerance: float | None,
        source: int | None,
    ) -> DataFrame:
        """Return each vertex's rank, a double; they sum to the number of vertices (SPARK-18847).

        Those around a ``source`` sum to 1.
        """
        algorithm = self._lib.PageRank
        around = self._option(source)
        chance = float(reset_probability)
        tags = (self._tag, self._tag)
        if tolerance is None:
            ranked = algorithm.runWithOptions(self._graph, iterations, chance, around, *tags)
        else:
            ranked = algorithm.runUntilConvergenceWithOptions(
                self._graph, float(tolerance), chance, around, *tags
            )
        return self._frame(ranked, self._encoders.scalaDouble())

    def connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's component, a long."""
        grouped = self._lib.ConnectedComponents.run(self._graph, self._tag, self._tag)
        return self._frame(grouped, self._encoders.scalaLong())

    def strongly_connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's strongly connected component, a long."""
        algorithm = self._lib.StronglyConnectedComponents
        grouped = algorithm.run(self._graph, _UNTIL_DONE, self._tag, self._tag)
        return self._frame(grouped, self._encoders.scalaLong())

    def label_propagation(self, iterations: int) -> DataFrame:
        """Return the vertex that names each vertex's community, a long."""
        labelled = self._lib.LabelPropagation.run(self._graph, iterations, self._tag)
        return self._frame(labelled, self._encoders.scalaLong())

    def triangle_count(self) -> DataFrame:
        """Return the number of triangles through each vertex, an int."""
        counted = self._lib.TriangleCount.run(self._graph, self._tag, self._tag)
        return self._frame(counted, self._encoders.scalaInt())

    def shortest_paths(self, landmarks: Sequence[int]) -> DataFrame:
        """Return a map of landmark (a long) to hops (an int) for each vertex."""
        ends = self._longs(landmarks)
        reached = self._lib.ShortestPaths.run(self._graph, ends, self._tag)
        return self._frame(reached, hops_encoder(self._spark))

    def k_core(self) -> DataFrame:
        """Refuse: GraphX has none.

        :raises SpecError: always.
        """
        raise _lacking("k_core")

    def motifs(self, tables: object, pattern: str) -> DataFrame:
        """Refuse: GraphX has none.

        :raises SpecError: always.
        """
        raise _lacking("motifs")

    @cached_property
    def _graph(self) -> JavaObject:
        # A vertex cut: hashing an edge by both its ends spreads the edges of a hub over all
        # partitions.
        spread = self._edges.repartition("src", "dst")
        pairs = self._rdd(spread, self._encoders.scalaLong(), self._encoders.scalaLong())
        zeros = self._vertices.repartition("vertex").withColumn("attribute", F.lit(0))
        attributes = self._rdd(zeros, self._encoders.scalaLong(), self._encoders.scalaInt())
        graphx = self._jvm.org.apache.spark.graphx
        level = spill(self._jvm)
        no_strategy = self._jvm.scala.Option.empty()
        linked = graphx.Graph.fromEdgeTuples(pairs, 0, no_strategy, level, level, self._tag)
        edges = linked.edges()
        # fromEdgeTuples knows only vertices that have an edge; these have the isolated ones too.
        every = graphx.VertexRDD.apply(attributes, edges, 0, self._tag)
        vertices = every.withTargetStorageLevel(level).cache()
        return graphx.impl.GraphImpl.fromExistingRDDs(vertices, edges, self._tag, self._tag)

    def _rdd(self, frame: DataFrame, *encoders: JavaObject) -> JavaObject:
        return rdd_of(frame, self._encoders.tuple(*encoders))

    def _frame(self, graph: JavaObject, value: JavaObject) -> DataFrame:
        encoder = self._encoders.tuple(self._encoders.scalaLong(), value)
        return frame_of(self._spark, graph.vertices(), encoder).toDF("vertex", "value")

    def _longs(self, numbers: Sequence[int]) -> JavaObject:
        boxed = self._boxed(numbers).toList()
        return self._jvm.scala.jdk.javaapi.CollectionConverters.asScala(boxed).toSeq()

    def _option(self, number: int | None) -> JavaObject:
        if number is None:
            return self._jvm.scala.Option.empty()
        boxed = self._boxed([number]).findFirst()
        return self._jvm.scala.jdk.javaapi.OptionConverters.toScala(boxed)

    def _boxed(self, numbers: Sequence[int]) -> JavaObject:
        # A Python int reaches the JVM as an Integer, which is no VertexId.
        stream = self._jvm.java.util.stream.LongStream.builder()
        for number in numbers:
            stream.add(number)
        return stream.build().boxed()


def _lacking(algorithm: str) -> SpecError:
    return SpecError(
        f"graph.{algorithm}: engine 'graphx' has none; take engine='graphframes' for this stage"
    )


def numbered(rows: DataFrame) -> DataFrame:
    """Give rows their place in the frame's order, from 0, as ``number: long``.

    Kept in memory, spilling to disk, until the stage has ended.
    """
    spark = rows.sparkSession
    jvm = jvm_of(spark)
    encoders = jvm.org.apache.spark.sql.Encoders
    zipped = rdd_of(rows).zipWithIndex().persist(spill(jvm))
    pair = encoders.tuple(row_encoder(rows), encoders.scalaLong())
    return frame_of(spark, zipped, pair).toDF("row", "number").select("row.*", "number")


def spill(jvm: JVMView) -> JavaObject:
    """Return the storage level for what a graph keeps: memory first, then disk."""
    return jvm.org.apache.spark.storage.StorageLevel.MEMORY_AND_DISK()
