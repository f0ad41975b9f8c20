"""What a graph job is offered: ``graph``, classic algorithms over its two inputs."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.driver.kinds.graph.graphframes import GraphFrames, graphframe
from tidegate.driver.kinds.graph.graphx import GraphX
from tidegate.driver.kinds.graph.jar import require_graphframes
from tidegate.driver.kinds.graph.routes import routes
from tidegate.driver.kinds.graph.tables import GraphTables
from tidegate.driver.kinds.job import Run, call_by_name
from tidegate.errors import SpecError


class Engine(Protocol):
    """What computes over a graph of numbered vertices.

    Every frame that it returns has the columns ``vertex: long`` and ``value``.
    """

    def __init__(self, vertices: DataFrame, edges: DataFrame) -> None:
        """Take ``vertices`` (``vertex: long``) and ``edges`` (``src: long, dst: long``).

        No work is done yet.
        """

    def pagerank(
        self,
        iterations: int,
        reset_probability: float,
        tolerance: float | None,
        source: int | None,
    ) -> DataFrame:
        """Return each vertex's rank, a double."""

    def connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's component, a long."""

    def strongly_connected_components(self) -> DataFrame:
        """Return the smallest vertex of each vertex's strongly connected component, a long."""

    def label_propagation(self, iterations: int) -> DataFrame:
        """Return the vertex that names each vertex's community, a long."""

    def triangle_count(self) -> DataFrame:
        """Return the number of triangles through each vertex."""

    def shortest_paths(self, landmarks: Sequence[int]) -> DataFrame:
        """Return a map of landmark to hops for each vertex."""

    def k_core(self) -> DataFrame:
        """Return the largest k of whose k-core each vertex is.

        :raises SpecError: if the engine has no such algorithm.
        """

    def motifs(self, tables: GraphTables, pattern: str) -> DataFrame:
        """Return the matches of a pattern in the graph that ``tables`` hold, under its own ids.

        :raises SpecError: if the engine has no such search.
        """


ENGINES: Mapping[str, type[Engine]] = {"graphx": GraphX, "graphframes": GraphFrames}


def produce(run: Run, offered: Mapping[str, object], engine: str) -> object:
    """Call a graph job with everything offered, and ``graph``.

    ``graph`` is a :class:`Graph`; it does no work unless the job calls one of its methods. Engine
    ``graphframes`` adds ``graphframe``, a :class:`graphframes.GraphFrame` over the same graph, with
    every other column of both inputs.

    :raises SpecError: if the engine is unknown or not installed, the session is a Spark Connect
        one, or the inputs ``vertices`` and ``edges`` or their columns are missing or of types that
        do not match.
    """
    if engine not in ENGINES:
        raise SpecError(f"engine {engine!r}: a graph stage runs on one of {sorted(ENGINES)}")
    spark = offered["spark"]
    if not isinstance(spark, SparkSession):
        raise SpecError(
            f"engine {engine!r} reaches into the driver's JVM, which Spark Connect hides: "
            "submit this stage to a master (local, Standalone, YARN, Kubernetes), not to a Connect "
            "server"
        )
    tables = GraphTables.of(offered)
    extra: dict[str, object] = {"graph": Graph(tables, ENGINES[engine])}
    if engine == "graphframes":
        require_graphframes(spark)
        extra["graphframe"] = graphframe(tables)
    return call_by_name(run, {**offered, **extra})


class Graph:
    """A directed graph whose vertices keep the ids of the inputs, of whatever type.

    As in GraphX, every id found is a vertex, once: the ids of the input ``vertices``, and those
    that only an edge names (a dangling edge adds its end). A vertex given twice is one vertex, an
    edge given twice two edges, and rows with a null id are left out. The suites of the stages that
    make the inputs are the place to forbid any of these.

    Every result but of ``bfs`` and ``motifs`` has one row a vertex, isolated ones included. All is
    computed on the cluster. What is kept on the way is released when the stage has ended.
    """

    def __init__(self, tables: GraphTables, engine: type[Engine]) -> None:
        self._tables = tables
        self._engine_type = engine

    @property
    def vertices(self) -> DataFrame:
        """Every vertex once, in the column ``id``."""
        return self._tables.vertices

    @property
    def edges(self) -> DataFrame:
        """Every edge whose ends are both known: ``src`` and ``dst``, of the type of ``id``."""
        return self._tables.edges

    def degrees(self) -> DataFrame:
        """Count the edges at each vertex: ``id``, ``in_degree: long``, ``out_degree: long``.

        A self-loop is in both.
        """
        zero = F.lit(0).cast("long")
        one = F.lit(1).cast("long")
        none = self.vertices.select("id", zero.alias("in_degree"), zero.alias("out_degree"))
        out = self.edges.select(
            F.col("src").alias("id"), zero.alias("in_degree"), one.alias("out_degree")
        )
        into = self.edges.select(
            F.col("dst").alias("id"), one.alias("in_degree"), zero.alias("out_degree")
        )
        totals = (F.sum(name).alias(name) for name in ("in_degree", "out_degree"))
        return none.unionAll(out).unionAll(into).groupBy("id").agg(*totals)

    def pagerank(
        self,
        iterations: int = 10,
        reset_probability: float = 0.15,
        tolerance: float | None = None,
        source: object = None,
    ) -> DataFrame:
        """Rank vertices by the links they receive: ``id`` and ``pagerank: double``.

        Brin and Page, *The Anatomy of a Large-Scale Hypertextual Web Search Engine*, 1998. Ranks
        start at 1, and are scaled to sum to the number of vertices, on either engine. Parallel
        edges count each. The last digits depend on how the data is partitioned.

        :param tolerance: iterate until no rank moves by more than this; ``iterations`` then has no
            meaning.
        :param source: an ``id``: rank by how near a vertex is to this one (personalised PageRank);
            the ranks then sum to 1.
        :raises SpecError: if ``source`` is no vertex.
        """
        around = None
        if source is not None:
            around = self._number_of(source)
        ranked = self._engine.pagerank(iterations, reset_probability, tolerance, around)
        return self._of_ids(ranked, "pagerank")

    def connected_components(self) -> DataFrame:
        """Group vertices joined by a path, whatever its direction: ``id`` and ``component``.

        The component is named by its smallest ``id``.
        """
        grouped = self._engine.connected_components()
        return self._of_ids(grouped, "component", "vertex", "value")

    def strongly_connected_components(self) -> DataFrame:
        """Group vertices joined by paths in both directions: ``id`` and ``component``.

        The component is named by its smallest ``id``.
        """
        grouped = self._engine.strongly_connected_components()
        return self._of_ids(grouped, "component", "vertex", "value")

    def label_propagation(self, iterations: int = 5) -> DataFrame:
        """Find communities: ``id`` and ``label``, the ``id`` that names the community.

        Raghavan, Albert and Kumara, *Near linear time algorithm to detect community structures in
        large-scale networks*, Physical Review E 76, 2007, as in GraphX: each vertex takes the
        commonest label among its neighbours in either direction, all at once, ``iterations`` times.
        It need not settle: two vertices and an edge swap labels for ever.
        """
        labelled = self._engine.label_propagation(iterations)
        return self._of_ids(labelled, "label", "vertex", "value")

    def triangle_count(self) -> DataFrame:
        """Count the triangles through each vertex: ``id`` and ``triangles: long``.

        Directions, parallel edges and self-loops make no difference.
        """
        counted = self._engine.triangle_count().withColumn("value", F.col("value").cast("long"))
        return self._of_ids(counted, "triangles")

    def shortest_paths(self, landmarks: Sequence[object]) -> DataFrame:
        """Count the hops from each vertex to each landmark: ``id``, ``distances: map<id, int>``.

        Hops go along the edges. A landmark that cannot be reached, or is no vertex, is absent from
        the map.

        :param landmarks: ids, of the type of ``id``.
        :raises SpecError: if ``landmarks`` is empty or one string, or holds an id of another type.
        """
        if isinstance(landmarks, str) or not landmarks:
            raise SpecError(
                f"shortest_paths(landmarks={landmarks!r}): give a list of one or more ids"
            )
        numbers = self._tables.numbering.landmarks(landmarks)
        hops = self._engine.shortest_paths(sorted(numbers))
        named = self._tables.numbering.name_keys(F.col("value"), numbers)
        return self._of_ids(hops.withColumn("value", named), "distances")

    def bfs(self, source: object, target: object, max_hops: int = 10) -> DataFrame:
        """Find every shortest path from one vertex to another: ``path: array<id>``, both included.

        The search is breadth first and goes along the edges. There is no row if there is no path,
        or none of at most ``max_hops`` edges.
        """
        distances = self.shortest_paths([target])
        hops = distances.select("id", F.get(F.map_values("distances"), 0).alias("hops"))
        # Every step of the way looks them up.
        return routes(self.edges, hops.persist(), source, max_hops)

    def k_core(self) -> DataFrame:
        """Find how deep in the graph each vertex lies: ``id`` and ``core: long``.

        It is the largest k for which the vertex has k neighbours that all have k such neighbours.
        Directions, parallel edges and self-loops make no difference.

        :raises SpecError: if the engine is ``graphx``, which has no such algorithm.
        """
        cores = self._engine.k_core().withColumn("value", F.col("value").cast("long"))
        return self._of_ids(cores, "core")

    def motifs(self, pattern: str) -> DataFrame:
        """Find a pattern such as ``(a)-[e]->(b); (b)-[]->(c)``: a struct for each name in it.

        A vertex's struct has ``id``, an edge's ``src`` and ``dst``, and both the other columns of
        the inputs.

        :raises SpecError: if the engine is ``graphx``, which has no such search.
        """
        return self._engine.motifs(self._tables, pattern)

    def _number_of(self, source: object) -> int:
        wanted = self.vertices.where(F.col("id") == F.lit(source).cast(self._tables.id_type))
        found = self._tables.numbering.number(wanted.select(F.col("id").alias("number")), "number")
        numbers = [row["number"] for row in found.collect()]
        if not numbers:
            raise SpecError(f"source={source!r} is no vertex of this graph")
        return int(numbers[0])

    @cached_property
    def _engine(self) -> Engine:
        numbering = self._tables.numbering
        return self._engine_type(numbering.vertices, numbering.number(self.edges, "src", "dst"))

    def _of_ids(self, result: DataFrame, column: str, *vertices: str) -> DataFrame:
        """Return an engine's result with ids for longs, its values under the name ``column``.

        :param vertices: the columns that hold vertices, where it is not ``vertex`` alone.
        """
        named = self._tables.numbering.name(result, *(vertices or ("vertex",)))
        return named.select(F.col("vertex").alias("id"), F.col("value").alias(column))
