"""The graph kind's algorithms against networkx, on random graphs; what it keeps, and releases."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import networkx as nx
import pytest
from graphs import NO_JAR, build, has_graphframes, rows, tables
from pyspark.sql import DataFrame, SparkSession
from specs import spec

from tidegate.driver.kinds.graph import Graph, keeping, produce
from tidegate.driver.kinds.graph.keeping import checkpointing, releasing
from tidegate.errors import SpecError

PLACES = 24
SEEDS = (2,)


def random_graph(seed: int) -> nx.MultiDiGraph:
    """A graph with parallel edges, edges both ways, self-loops and vertices alone."""
    dice = random.Random(seed)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(f"n{number:02}" for number in range(PLACES))
    names = sorted(graph)[:-2]
    for _ in range(2 * PLACES):
        graph.add_edge(dice.choice(names), dice.choice(names))
    return graph


@pytest.fixture(params=SEEDS)
def known(request: pytest.FixtureRequest) -> nx.MultiDiGraph:
    return random_graph(request.param)


@pytest.fixture
def graph(spark: SparkSession, engine: str, known: nx.MultiDiGraph) -> Iterator[Graph]:
    with releasing(spark):
        yield build(tables(spark, list(known), list(known.edges())), engine)


def best_connected(known: nx.MultiDiGraph) -> str:
    """The vertex from which the most others can be reached."""
    return max(known, key=lambda name: (len(nx.descendants(known, name)), name))


def by_smallest(groups: Iterator[set[str]]) -> dict[object, object]:
    return {name: min(group) for group in groups for name in group}


def test_components(graph: Graph, known: nx.MultiDiGraph) -> None:
    assert rows(graph.connected_components()) == by_smallest(nx.weakly_connected_components(known))
    strong = rows(graph.strongly_connected_components())
    assert strong == by_smallest(nx.strongly_connected_components(known))
    assert len(set(strong.values())) not in (1, PLACES)


def test_pagerank(graph: Graph, known: nx.MultiDiGraph) -> None:
    shares = nx.pagerank(known, alpha=0.5, tol=1e-12)
    expected = {name: share * PLACES for name, share in shares.items()}
    assert rows(graph.pagerank(30, 0.5)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("limit", [{"tolerance": 1e-7}, {"iterations": 20}])
def test_personalised_pagerank(
    graph: Graph, known: nx.MultiDiGraph, limit: dict[str, float]
) -> None:
    source = best_connected(known)
    expected = nx.pagerank(known, alpha=0.5, personalization={source: 1}, tol=1e-12)
    ranks = rows(graph.pagerank(reset_probability=0.5, source=source, **limit))
    assert ranks == pytest.approx(expected, abs=1e-5)


def test_a_source_that_is_no_vertex_is_refused(graph: Graph) -> None:
    with pytest.raises(SpecError, match="source='nobody' is no vertex"):
        graph.pagerank(source="nobody")


def paths(frame: DataFrame) -> list[list[str]]:
    return sorted(row["path"] for row in frame.collect())


def test_breadth_first_search_finds_every_shortest_path(
    graph: Graph, known: nx.MultiDiGraph
) -> None:
    simple = nx.DiGraph(known)
    source = best_connected(known)
    hops = nx.single_source_shortest_path_length(simple, source)
    farthest = max(hops, key=lambda name: (hops[name], name))
    expected = sorted(nx.all_shortest_paths(simple, source, farthest))
    assert hops[farthest] > 2
    assert paths(graph.bfs(source, farthest)) == expected
    assert paths(graph.bfs(source, farthest, max_hops=hops[farthest])) == expected
    assert paths(graph.bfs(source, farthest, max_hops=hops[farthest] - 1)) == []


def test_breadth_first_search_where_there_is_no_path(graph: Graph) -> None:
    assert paths(graph.bfs("n03", "n23")) == []
    assert paths(graph.bfs("nobody", "n03")) == []
    assert paths(graph.bfs("n03", "nobody")) == []
    assert paths(graph.bfs("n03", "n03")) == [["n03"]]


@pytest.mark.parametrize("type_", ["int", "bigint"])
def test_ids_that_are_numbers(spark: SparkSession, engine: str, type_: str) -> None:
    graph = build(tables(spark, [5], [(1, 2), (2, 1), (2, 3)], type_), engine)
    assert rows(graph.strongly_connected_components()) == {1: 1, 2: 1, 3: 3, 5: 5}
    assert paths(graph.bfs(1, 3)) == [[1, 2, 3]]
    assert rows(graph.pagerank(source=1))[5] == 0


def test_k_core(spark: SparkSession, known: nx.MultiDiGraph) -> None:
    if not has_graphframes(spark):
        pytest.skip(NO_JAR)
    simple = nx.Graph(known)
    simple.remove_edges_from(list(nx.selfloop_edges(simple)))
    graph = build(tables(spark, list(known), list(known.edges())), "graphframes")
    assert rows(graph.k_core()) == nx.core_number(simple)


def test_motifs(spark: SparkSession, known: nx.MultiDiGraph) -> None:
    if not has_graphframes(spark):
        pytest.skip(NO_JAR)
    graph = build(tables(spark, list(known), list(known.edges())), "graphframes")
    found = graph.motifs("(a)-[]->(b); (b)-[]->(c); (c)-[]->(a)").select("a.id", "b.id", "c.id")
    simple = nx.DiGraph(known)
    triangles = {
        (a, b, c) for a, b in simple.edges() for c in simple.successors(b) if simple.has_edge(c, a)
    }
    assert {tuple(row) for row in found.collect()} == triangles


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("k_core", lambda graph: graph.k_core()),
        ("motifs", lambda graph: graph.motifs("(a)-[]->(b)")),
    ],
)
def test_what_graphx_has_not_is_said_with_who_has(
    spark: SparkSession, name: str, call: Callable[[Graph], object]
) -> None:
    graph = build(tables(spark, "ab", [("a", "b")]))
    with pytest.raises(SpecError, match=rf"{name}: engine 'graphx' has none.*engine='graphframes'"):
        call(graph)


# --- what it keeps ------------------------------------------------------------------------------


def kept(spark: SparkSession) -> set[int]:
    return set(spark.sparkContext._jsc.getPersistentRDDs())


def test_nothing_that_a_graph_kept_stays(spark: SparkSession, engine: str) -> None:
    others = spark.sparkContext.parallelize(range(3)).cache()
    before = kept(spark)
    with releasing(spark):
        graph = build(tables(spark, "abc", [("a", "b"), ("b", "c")]), engine)
        for frame in (
            graph.pagerank(3),
            graph.connected_components(),
            graph.strongly_connected_components(),
            graph.label_propagation(2),
            graph.triangle_count(),
            graph.shortest_paths(["c"]),
            graph.bfs("a", "c"),
        ):
            frame.collect()
        assert len(kept(spark) - before) > 10
    assert kept(spark) <= before
    assert others.id() in kept(spark)
    others.unpersist()


def test_it_is_released_when_the_job_fails(spark: SparkSession) -> None:
    before = kept(spark)

    def run(graph: Graph) -> DataFrame:
        graph.pagerank(2).collect()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), releasing(spark):
        produce(run, tables(spark, "ab", [("a", "b")]), "graphx")
    # Not equal: Java's garbage collector may have come by for those of other tests.
    assert kept(spark) <= before


def folders(parent: Path) -> list[str]:
    return sorted(each.name for each in parent.glob("*checkpoints_*"))


def test_an_attempt_has_a_folder_for_checkpoints(spark: SparkSession, tmp_path: Path) -> None:
    mine = spec(folder=str(tmp_path / "map=-1" / "try=1"))
    with keeping(spark, mine):
        spark.range(3).checkpoint()
        (folder,) = (tmp_path / "map=-1").glob("checkpoints_*")
        assert folder.name == f"checkpoints_{mine.attempt.submitted_ms}"
        assert list(folder.rglob("part-*"))
    assert not folder.exists()


def test_a_killed_attempts_folder_goes_with_the_next_attempt(
    spark: SparkSession, tmp_path: Path
) -> None:
    first = spec(folder=str(tmp_path / "map=0" / "try=1"))
    second = spec(folder=str(tmp_path / "map=0" / "try=2"), try_number=2)
    other = spec(folder=str(tmp_path / "map=1" / "try=1"))
    killed = checkpointing(spark, first)
    killed.__enter__()
    with checkpointing(spark, other), checkpointing(spark, second):
        assert folders(tmp_path / "map=0") == [f"checkpoints_{second.attempt.submitted_ms}"]
        assert folders(tmp_path / "map=1") == [f"checkpoints_{other.attempt.submitted_ms}"]
    assert folders(tmp_path / "map=0") == folders(tmp_path / "map=1") == []


def test_an_attempt_that_wakes_up_late_takes_its_own_folder_alone(
    spark: SparkSession, tmp_path: Path
) -> None:
    first, second = (spec(folder=str(tmp_path / "map=0" / f"try={n}")) for n in (1, 2))
    late = checkpointing(spark, first)
    late.__enter__()
    with checkpointing(spark, second):
        late.__exit__(None, None, None)
        assert folders(tmp_path / "map=0") == [f"checkpoints_{second.attempt.submitted_ms}"]


def test_on_a_cluster_it_lies_in_the_warehouse(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark.sparkContext, "master", "spark://somewhere:7077")
    warehouse = Path(str(spark.conf.get("spark.sql.catalog.lake.warehouse")))
    one, other = spec(partition={"ds": "2013-01-01"}), spec(partition={"ds": "2013-01-02"})
    with checkpointing(spark, one), checkpointing(spark, other):
        spark.range(3).checkpoint()
        assert len(folders(warehouse)) == 2
    assert folders(warehouse) == []


@pytest.mark.parametrize("warehouse", ["abfss://no-such-store/lake", ""])
def test_where_hadoop_reaches_nothing_none_is_set(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, warehouse: str
) -> None:
    monkeypatch.setattr(spark.sparkContext, "master", "spark://somewhere:7077")
    spark.conf.set("spark.sql.catalog.elsewhere.warehouse", warehouse)
    before = spark.sparkContext.getCheckpointDir()
    with checkpointing(spark, spec(writes="elsewhere.db.t")):
        assert spark.sparkContext.getCheckpointDir() == before


def test_graphframes_components_find_their_checkpoints(spark: SparkSession, tmp_path: Path) -> None:
    if not has_graphframes(spark):
        pytest.skip(NO_JAR)
    offered = tables(spark, "abc", [("a", "b")])
    with keeping(spark, spec(folder=str(tmp_path / "map=-1" / "try=1"))):
        found = produce(lambda graphframe: graphframe.connectedComponents(), offered, "graphframes")
        assert isinstance(found, DataFrame)
        assert found.select("component").distinct().count() == 2
    assert folders(tmp_path / "map=-1") == []
