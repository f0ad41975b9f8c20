"""The graph kind on graphs small enough to work out by hand, in a real Spark."""

import datetime
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from graphs import NO_JAR, build, has_graphframes, rows, tables
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession
from pyspark.sql.types import DoubleType, IntegerType, LongType, MapType, ShortType, StringType

from tidegate.driver.kinds.graph import Graph, produce
from tidegate.errors import SpecError

# A triangle a-b-c with a tail c-d; a pair e-f in a component of its own; g alone.
VERTICES = ("a", "b", "c", "d", "e", "f", "g")
EDGES = (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("f", "e"))

Ids = Callable[[str], object]
SPELLINGS: dict[str, tuple[str, Ids]] = {
    "string": ("string", lambda name: f"airport-{name}"),
    "int": ("int", lambda name: ord(name) - 100),
    "bigint": ("bigint", lambda name: 2**40 + ord(name)),
    "date": ("date", lambda name: datetime.date(2013, 1, ord(name) - 96)),
}


def strings(
    spark: SparkSession, vertices: Iterable[object], edges: Iterable[Sequence[object]]
) -> Graph:
    return build(tables(spark, vertices, edges))


def reference_pagerank(
    vertices: Sequence[str], edges: Iterable[Sequence[str]], iterations: int
) -> dict[str, float]:
    """GraphX's static PageRank, as its scaladoc has it: start at 1, nothing from sinks, then scale
    so that all ranks sum to the number of vertices."""
    place = {name: index for index, name in enumerate(vertices)}
    follow = np.zeros((len(place), len(place)))
    for src, dst in edges:
        follow[place[dst], place[src]] += 1
    outgoing = follow.sum(axis=0)
    follow = np.divide(follow, outgoing, out=np.zeros_like(follow), where=outgoing > 0)
    ranks = np.ones(len(place))
    for _ in range(iterations):
        ranks = 0.15 + 0.85 * follow @ ranks
    ranks *= len(place) / ranks.sum()
    return {name: float(ranks[place[name]]) for name in vertices}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_algorithm_on_ids_of_every_type(
    spark: SparkSession, engine: str, spelling: str
) -> None:
    type_, spell = SPELLINGS[spelling]
    edges = [(spell(src), spell(dst)) for src, dst in EDGES]
    graph = build(tables(spark, [spell(name) for name in VERTICES], edges, type_), engine)

    def spelled(answers: dict[str, object]) -> dict[object, object]:
        return {spell(name): answer for name, answer in answers.items()}

    assert rows(graph.connected_components()) == spelled(
        {name: spell(smallest) for name, smallest in zip("abcdefg", "aaaaeeg", strict=True)}
    )
    assert rows(graph.triangle_count()) == spelled(
        {"a": 1, "b": 1, "c": 1, "d": 0, "e": 0, "f": 0, "g": 0}
    )
    assert rows(graph.shortest_paths([spell("d"), spell("e")])) == spelled(
        {
            "a": {spell("d"): 3},
            "b": {spell("d"): 2},
            "c": {spell("d"): 1},
            "d": {spell("d"): 0},
            "e": {spell("e"): 0},
            "f": {spell("e"): 1},
            "g": {},
        }
    )
    labels = rows(graph.label_propagation(1))  # one step: whoever has one neighbour takes its name
    assert {spell(name): labels[spell(name)] for name in "defg"} == spelled(
        {"d": spell("c"), "e": spell("f"), "f": spell("e"), "g": spell("g")}
    )
    assert rows(graph.degrees().select("id", "out_degree"))[spell("c")] == 2
    ranks = rows(graph.pagerank(10))
    assert len(ranks) == len(VERTICES)
    assert ranks == pytest.approx(spelled(reference_pagerank(VERTICES, EDGES, 10)))


@pytest.mark.parametrize(
    ("spelling", "id_type"), [("string", StringType()), ("int", IntegerType())]
)
def test_results_have_the_promised_columns(
    spark: SparkSession, engine: str, spelling: str, id_type: object
) -> None:
    type_, spell = SPELLINGS[spelling]
    graph = build(tables(spark, [spell("a")], [(spell("a"), spell("b"))], type_), engine)

    def columns(frame: DataFrame) -> list[tuple[str, object]]:
        return [(field.name, field.dataType) for field in frame.schema]

    assert columns(graph.vertices) == [("id", id_type)]
    assert columns(graph.edges) == [("src", id_type), ("dst", id_type)]
    assert columns(graph.degrees()) == [
        ("id", id_type),
        ("in_degree", LongType()),
        ("out_degree", LongType()),
    ]
    assert columns(graph.pagerank()) == [("id", id_type), ("pagerank", DoubleType())]
    assert columns(graph.connected_components()) == [("id", id_type), ("component", id_type)]
    assert columns(graph.label_propagation()) == [("id", id_type), ("label", id_type)]
    assert columns(graph.triangle_count()) == [("id", id_type), ("triangles", LongType())]
    name, hops = columns(graph.shortest_paths([spell("a")]))[1]
    assert (name, type(hops)) == ("distances", MapType)
    assert isinstance(hops, MapType)
    assert (hops.keyType, hops.valueType) == (id_type, IntegerType())


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([("a", "b"), ("b", "c"), ("c", "d")], id="path"),
        pytest.param([("a", "b"), ("b", "c"), ("c", "a")], id="triangle, and d alone"),
        pytest.param([("b", "a"), ("c", "a"), ("d", "a")], id="star"),
        pytest.param([("a", "b"), ("a", "b"), ("a", "c"), ("c", "d")], id="parallel edges"),
        pytest.param([("a", "a"), ("a", "b"), ("c", "d")], id="self-loop"),
    ],
)
def test_pagerank_is_graphx_s(spark: SparkSession, edges: list[tuple[str, str]]) -> None:
    ranks = rows(strings(spark, "abcd", edges).pagerank(3))  # few enough that the start still shows
    assert ranks == pytest.approx(reference_pagerank("abcd", edges, 3))
    assert sum(ranks.values()) == pytest.approx(4)


def test_pagerank_to_a_tolerance_is_the_fixed_point(spark: SparkSession) -> None:
    ranks = rows(strings(spark, VERTICES, EDGES).pagerank(tolerance=1e-9))
    assert ranks == pytest.approx(reference_pagerank(VERTICES, EDGES, 300), abs=1e-6)


def test_pagerank_takes_a_reset_probability(spark: SparkSession) -> None:
    ranks = rows(strings(spark, "ab", [("a", "b")]).pagerank(1, reset_probability=0.5))
    assert ranks == pytest.approx({"a": 0.5 * 2 / 1.5, "b": 1.0 * 2 / 1.5})


def test_label_propagation_finds_two_cliques(spark: SparkSession, engine: str) -> None:
    cliques = [
        (one, other)
        for clique in ("abcd", "wxyz")
        for one in clique
        for other in clique
        if one < other
    ]
    labels = rows(build(tables(spark, "abcdwxyz", cliques), engine).label_propagation(10))
    assert len({labels[name] for name in "abcd"}) == 1
    assert len({labels[name] for name in "wxyz"}) == 1
    assert labels["a"] in set("abcd")
    assert labels["z"] in set("wxyz")


def test_directions_count_only_where_they_should(spark: SparkSession, engine: str) -> None:
    graph = build(tables(spark, "abc", [("b", "a"), ("b", "c"), ("c", "a")]), engine)
    assert rows(graph.triangle_count()) == {"a": 1, "b": 1, "c": 1}
    assert set(rows(graph.connected_components()).values()) == {"a"}
    assert rows(graph.shortest_paths(["a", "b"])) == {
        "a": {"a": 0},
        "b": {"a": 1, "b": 0},
        "c": {"a": 1},
    }


def test_parallel_edges_and_self_loops_make_no_triangles(spark: SparkSession, engine: str) -> None:
    edges = [("a", "b"), ("a", "b"), ("b", "a"), ("b", "c"), ("c", "a"), ("a", "a"), ("d", "d")]
    graph = build(tables(spark, "abcd", edges), engine)
    assert rows(graph.triangle_count()) == {"a": 1, "b": 1, "c": 1, "d": 0}
    assert rows(graph.connected_components()) == {"a": "a", "b": "a", "c": "a", "d": "d"}
    degrees = {
        row["id"]: (row["in_degree"], row["out_degree"]) for row in graph.degrees().collect()
    }
    assert degrees == {"a": (3, 3), "b": (2, 2), "c": (1, 1), "d": (1, 1)}
    assert graph.edges.count() == len(edges)


@pytest.mark.parametrize("type_", ["string", "bigint"])
def test_the_end_of_a_dangling_edge_becomes_a_vertex(
    spark: SparkSession, engine: str, type_: str
) -> None:
    a, b, c = ("a", "b", "c") if type_ == "string" else (1, 2, 3)
    graph = build(tables(spark, [b], [(b, a), (c, b)], type_), engine)
    assert sorted(row["id"] for row in graph.vertices.collect()) == [a, b, c]
    assert rows(graph.connected_components()) == {a: a, b: a, c: a}
    assert rows(graph.shortest_paths([a])) == {a: {a: 0}, b: {a: 1}, c: {a: 2}}
    assert len(rows(graph.pagerank(2))) == 3


@pytest.mark.parametrize("type_", ["string", "bigint"])
def test_a_vertex_given_twice_is_one_vertex(spark: SparkSession, engine: str, type_: str) -> None:
    a, b, c = ("a", "b", "c") if type_ == "string" else (1, 2, 3)
    once = build(tables(spark, [a, b, c], [(a, b)], type_), engine)
    twice = build(tables(spark, [a, b, c, a, c], [(a, b)], type_), engine)
    assert rows(twice.pagerank(5)) == pytest.approx(rows(once.pagerank(5)))
    assert rows(twice.connected_components()) == {a: a, b: a, c: c}
    assert rows(twice.triangle_count()) == {a: 0, b: 0, c: 0}
    assert rows(twice.label_propagation(2))[c] == c
    assert rows(twice.shortest_paths([c])) == {a: {}, b: {}, c: {c: 0}}


@pytest.mark.parametrize("type_", ["string", "bigint"])
def test_rows_with_a_null_id_are_left_out(spark: SparkSession, engine: str, type_: str) -> None:
    a, b = ("a", "b") if type_ == "string" else (1, 2)
    graph = build(tables(spark, [a, None], [(a, b), (None, b), (a, None)], type_), engine)
    assert rows(graph.connected_components()) == {a: a, b: a}
    assert graph.edges.count() == 1


@pytest.mark.parametrize("type_", ["string", "bigint"])
def test_graphs_without_edges_without_vertices_and_empty(
    spark: SparkSession, engine: str, type_: str
) -> None:
    a, b = ("a", "b") if type_ == "string" else (1, 2)
    no_edges = build(tables(spark, [a, b], [], type_), engine)
    assert rows(no_edges.pagerank(3)) == pytest.approx({a: 1.0, b: 1.0})
    assert rows(no_edges.connected_components()) == {a: a, b: b}
    assert rows(no_edges.triangle_count()) == {a: 0, b: 0}
    assert rows(build(tables(spark, [], [(b, a)], type_), engine).connected_components()) == {
        a: a,
        b: a,
    }
    empty = build(tables(spark, [], [], type_), engine)
    assert (
        rows(empty.pagerank(3))
        == rows(empty.label_propagation())
        == rows(empty.shortest_paths([a]))
        == {}
    )


@pytest.mark.parametrize("type_", ["string", "bigint"])
def test_a_landmark_that_is_no_vertex_is_in_no_map(
    spark: SparkSession, engine: str, type_: str
) -> None:
    a, b, nobody = ("a", "b", "z") if type_ == "string" else (1, 2, 99)
    graph = build(tables(spark, [a, b], [(a, b)], type_), engine)
    assert rows(graph.shortest_paths([nobody])) == {a: {}, b: {}}
    assert rows(graph.shortest_paths([nobody, b])) == {a: {b: 1}, b: {b: 0}}


@pytest.mark.parametrize("landmarks", ["ATL", [], ["ATL"]])
def test_landmarks_that_cannot_be_ids_are_refused(
    spark: SparkSession, landmarks: Sequence[object]
) -> None:
    graph = build(tables(spark, [1], [(1, 2)], "int"))
    with pytest.raises(SpecError, match="landmarks"):
        graph.shortest_paths(landmarks)


def test_answers_do_not_depend_on_partitioning(spark: SparkSession) -> None:
    names = [f"n{number}" for number in range(60)]
    edges = [(f"n{number}", f"n{(number * number + 7) % 60}") for number in range(60)] * 2
    answers = []
    for parts in (1, 7):
        offered = tables(
            spark, names if parts == 1 else names[::-1], edges if parts == 1 else edges[::-1]
        )
        for name in ("vertices", "edges"):
            frame = offered[name]
            assert isinstance(frame, DataFrame)
            offered[name] = frame.repartition(parts)
        graph = build(offered)
        exact = (
            graph.connected_components(),
            graph.label_propagation(),
            graph.shortest_paths(["n7", "n23"]),
        )
        answers.append(([rows(frame) for frame in exact], rows(graph.pagerank())))
    assert answers[0][0] == answers[1][0]
    assert answers[0][1] == pytest.approx(answers[1][1])


def test_numbers_for_ids_are_their_ranks(spark: SparkSession) -> None:
    """What makes a recomputed partition harmless: the number is a fact about the set of ids."""
    from tidegate.driver.kinds.graph.tables import GraphTables

    names = [f"n{number:03}" for number in range(200)]
    numbering = GraphTables.of(tables(spark, names[::-1], [])).numbering
    found = numbering.landmarks(names)
    assert found == dict(enumerate(names))


def test_columns_of_other_names_are_named_in_params(spark: SparkSession) -> None:
    offered = {
        "spark": spark,
        "params": {"id": "faa", "src": "origin", "dst": "dest"},
        "vertices": spark.createDataFrame([("ATL", 1), ("JFK", 2)], "faa string, id int"),
        "edges": spark.createDataFrame(
            [("JFK", "ATL", 760)], "origin string, dest string, miles int"
        ),
    }
    assert rows(build(offered).connected_components()) == {"ATL": "ATL", "JFK": "ATL"}


def test_a_job_gets_what_it_asks_for_by_name(spark: SparkSession) -> None:
    offered = {**tables(spark, "ab", [("a", "b")]), "names": spark.range(1)}

    def run(
        graph: Graph, vertices: DataFrame, names: DataFrame, params: dict[str, str]
    ) -> DataFrame:
        assert (vertices, names, params) == (
            offered["vertices"],
            offered["names"],
            offered["params"],
        )
        return graph.pagerank().join(vertices, "id")

    result = produce(run, offered, "graphx")
    assert isinstance(result, DataFrame)
    assert result.count() == 2


def test_a_job_that_asks_for_no_graph_costs_no_work(spark: SparkSession) -> None:
    offered = tables(spark, "ab", [("a", "b")])
    spark.sparkContext.setJobGroup("no-graph", "nothing should run in here")
    try:
        assert produce(lambda edges: edges, offered, "graphx") is offered["edges"]
        build(offered)
        assert list(spark.sparkContext.statusTracker().getJobIdsForGroup("no-graph")) == []
        build(offered).pagerank(1)
        assert list(spark.sparkContext.statusTracker().getJobIdsForGroup("no-graph")) != []
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def test_integers_of_two_widths_meet_in_longs(spark: SparkSession) -> None:
    offered = tables(spark, [1], [])
    offered["edges"] = spark.createDataFrame([(1, 2**40)], "src smallint, dst bigint")
    offered["vertices"] = spark.createDataFrame([(1,)], "id smallint")
    frame = build(offered).connected_components()
    assert rows(frame) == {1: 1, 2**40: 1}
    assert frame.schema["component"].dataType == LongType() != ShortType()


def test_other_types_that_differ_are_refused(spark: SparkSession) -> None:
    offered = {
        **tables(spark, ["1"], []),
        "edges": spark.createDataFrame([(1, 2)], "src int, dst int"),
    }
    with pytest.raises(SpecError, match="id is string, src is int, dst is int"):
        build(offered)


@pytest.mark.parametrize("name", ["vertices", "edges"])
def test_a_missing_input_is_named_with_what_there_is(spark: SparkSession, name: str) -> None:
    offered = tables(spark, ["a"], [])
    offered["flights"] = offered.pop(name)
    with pytest.raises(SpecError, match=rf"'flights'.*add '{name}' to its reads.*params"):
        build(offered)


def test_a_missing_column_is_named_with_what_there_is(spark: SparkSession) -> None:
    offered = tables(spark, ["a"], [])
    offered["edges"] = spark.createDataFrame([("a", "b")], "origin string, dst string")
    with pytest.raises(
        SpecError,
        match=r"'edges' has no column \['src'\]; it has \['origin', 'dst'\].*params=\{'src'",
    ):
        build(offered)
    offered["params"] = {"src": "from"}
    with pytest.raises(SpecError, match=r"'edges' has no column \['from'\]"):
        build(offered)


def test_an_unknown_engine_is_refused_with_the_two(spark: SparkSession) -> None:
    with pytest.raises(SpecError, match=r"'neo4j'.*\['graphframes', 'graphx'\]"):
        build(tables(spark, [], []), "neo4j")


def test_graphframes_without_its_jar_says_which_to_add(spark: SparkSession) -> None:
    if has_graphframes(spark):
        pytest.skip("the jar is here")
    version = pytest.importorskip("graphframes").__version__
    with pytest.raises(
        SpecError,
        match=rf"io\.graphframes:graphframes-spark4_2\.13:{version} to spark\.jars\.packages",
    ):
        build(tables(spark, [], []), "graphframes")


def test_graphframes_without_its_package_says_which_to_install(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        __import__("sys").modules, "graphframes", None
    )  # Python's own way to make an import fail
    with pytest.raises(SpecError, match="graphframes-py"):
        build(tables(spark, [], []), "graphframes")


def test_a_connect_session_is_refused(spark: SparkSession) -> None:
    remote = object.__new__(ConnectSession)  # a session of that class, without the server behind it
    with pytest.raises(SpecError, match="Spark Connect"):
        build({**tables(spark, [], []), "spark": remote})


def test_graphframe_has_the_inputs_other_columns(spark: SparkSession) -> None:
    if not has_graphframes(spark):
        pytest.skip(NO_JAR)
    offered = tables(spark, [], [])
    offered["vertices"] = spark.createDataFrame([("a", 1), ("a", 1)], "id string, size int")
    offered["edges"] = spark.createDataFrame([("a", "b", 3)], "src string, dst string, miles int")
    frame = produce(lambda graphframe: graphframe.find("(x)-[e]->(y)"), offered, "graphframes")
    assert isinstance(frame, DataFrame)
    assert [(row["x"]["size"], row["e"]["miles"], row["y"]["size"]) for row in frame.collect()] == [
        (1, 3, None)
    ]
