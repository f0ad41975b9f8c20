"""Graphs for tests: built from lists, read back as dicts, on every engine that is there."""

from collections.abc import Iterable, Sequence

from pyspark.sql import DataFrame, SparkSession

from tidegate.driver.kinds.graph import Graph, produce

NO_JAR = "no GraphFrames jar here: set GRAPHFRAMES_JAR to the path of one"
"""Why a test skips; the last line of a run counts those that do (tests/conftest.py)."""


def has_graphframes(spark: SparkSession) -> bool:
    loader = spark.sparkContext._jvm.Thread.currentThread().getContextClassLoader()
    return loader.getResource("org/graphframes/GraphFramePythonAPI.class") is not None


def tables(
    spark: SparkSession,
    vertices: Iterable[object],
    edges: Iterable[Sequence[object]],
    type_: str = "string",
) -> dict[str, object]:
    return {
        "spark": spark,
        "params": {"ds": "2013-01-01"},
        "vertices": spark.createDataFrame([(one,) for one in vertices], f"id {type_}"),
        "edges": spark.createDataFrame(
            [tuple(pair) for pair in edges], f"src {type_}, dst {type_}"
        ),
    }


def build(offered: dict[str, object], engine: str = "graphx") -> Graph:
    graph = produce(lambda graph: graph, offered, engine)
    assert isinstance(graph, Graph)
    return graph


def rows(frame: DataFrame) -> dict[object, object]:
    """Return the two columns as a dict, having checked that no id comes twice."""
    collected = [tuple(row) for row in frame.collect()]
    assert len(collected) == len({row[0] for row in collected}), collected
    return dict(collected)
