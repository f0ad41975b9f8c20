"""The two tables of a graph in one shape, and the longs that stand for their ids in an engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Protocol, Self

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, IntegerType, IntegralType, LongType, MapType

from tidegate.driver.kinds.graph.graphx import numbered
from tidegate.errors import SpecError


class Numbering(Protocol):
    """A one-to-one map between ids and longs that keeps their order."""

    @property
    def vertices(self) -> DataFrame:
        """Every long that stands for an id, once: ``vertex``."""

    def number(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the ids in ``columns`` into longs."""

    def name(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the longs in ``columns`` into ids."""

    def landmarks(self, ids: Sequence[object]) -> Mapping[int, object]:
        """Look up a few ids: long to id, of those that are vertices."""

    def name_keys(self, distances: Column, landmarks: Mapping[int, object]) -> Column:
        """Turn the longs that key a map into the ids of ``landmarks``."""


@dataclass(frozen=True)
class GraphTables:
    """The inputs ``vertices`` and ``edges``: no null in the columns ``id``, ``src`` and ``dst``."""

    vertex_rows: DataFrame
    edge_rows: DataFrame
    id_type: DataType

    @classmethod
    def of(cls, offered: Mapping[str, object]) -> Self:
        """Find the two inputs and their columns.

        ``params`` may say what those are called: ``id``, ``src`` and ``dst``.

        :raises SpecError: if an input or a column is missing, or the three columns are of types
            that do not match.
        """
        vertices = _input(offered, "vertices", _asked(offered, "id"))
        edges = _input(offered, "edges", _asked(offered, "src", "dst"))
        id_type = _id_type(vertices, edges)
        return cls(_typed(vertices, id_type, "id"), _typed(edges, id_type, "src", "dst"), id_type)

    @property
    def edges(self) -> DataFrame:
        """Both ends of every edge: ``src`` and ``dst``."""
        return self.edge_rows.select("src", "dst")

    @property
    def vertices(self) -> DataFrame:
        """Every id of either table, once: ``id``."""
        return self.vertex_rows.select("id").unionAll(self._ends).distinct()

    @property
    def undeclared(self) -> DataFrame:
        """The ids that only an edge names, once: ``id``."""
        return self._ends.distinct().join(self.vertex_rows, "id", "left_anti")

    @property
    def _ends(self) -> DataFrame:
        starts = self.edges.select(F.col("src").alias("id"))
        return starts.unionAll(self.edges.select(F.col("dst").alias("id")))

    @cached_property
    def numbering(self) -> Numbering:
        """The longs for these ids: integers stand for themselves, other ids for their rank."""
        if isinstance(self.id_type, IntegralType):
            return Integers(self.vertices)
        return Ranks(self.vertices)


class Integers:
    """Ids that are integers stand for themselves."""

    def __init__(self, ids: DataFrame) -> None:
        self._ids = ids
        self._type = ids.schema["id"].dataType

    @property
    def vertices(self) -> DataFrame:
        """Every id: ``vertex``."""
        return self._ids.select(F.col("id").cast(LongType()).alias("vertex"))

    def number(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the ids in ``columns`` into longs."""
        return frame.withColumns({column: F.col(column).cast(LongType()) for column in columns})

    def name(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the longs in ``columns`` into ids."""
        return frame.withColumns({column: F.col(column).cast(self._type) for column in columns})

    def landmarks(self, ids: Sequence[object]) -> Mapping[int, object]:
        """Return each id under itself.

        :raises SpecError: if one is no integer.
        """
        numbers: dict[int, object] = {}
        others = []
        for one in ids:
            if isinstance(one, Integral):
                numbers[int(one)] = one
            else:
                others.append(one)
        if others:
            wanted = self._type.simpleString()
            raise SpecError(f"landmarks {others} are no ids of this graph: its ids are {wanted}")
        return numbers

    def name_keys(self, distances: Column, landmarks: Mapping[int, object]) -> Column:
        """Turn the longs that key a map into ids."""
        return distances.cast(MapType(self._type, IntegerType(), valueContainsNull=False))


class Ranks:
    """Ids of any type that can be sorted stand for their rank.

    The rank is a fact about the set of ids, however they are partitioned, so an executor lost
    half-way recomputes the same numbers. It also keeps order: the smallest long of a component is
    its smallest id.
    """

    def __init__(self, ids: DataFrame) -> None:
        self._ids = ids
        self._type = ids.schema["id"].dataType

    @cached_property
    def _ranks(self) -> DataFrame:
        return numbered(self._ids.sort("id"))

    @property
    def vertices(self) -> DataFrame:
        """Every rank: ``vertex``."""
        return self._ranks.select(F.col("number").alias("vertex"))

    def number(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the ids in ``columns`` into longs."""
        for column in columns:
            frame = self._swap(frame, column, "id", "number")
        return frame

    def name(self, frame: DataFrame, *columns: str) -> DataFrame:
        """Turn the longs in ``columns`` into ids."""
        for column in columns:
            frame = self._swap(frame, column, "number", "id")
        return frame

    def landmarks(self, ids: Sequence[object]) -> Mapping[int, object]:
        """Look up a few ids, with one small query."""
        wanted = [F.lit(one).cast(self._type) for one in ids]
        found = self._ranks.where(F.col("id").isin(*wanted)).collect()
        return {row["number"]: row["id"] for row in found}

    def name_keys(self, distances: Column, landmarks: Mapping[int, object]) -> Column:
        """Turn the ranks that key a map into ids."""
        pairs = []
        for number, name in landmarks.items():
            pairs += [F.lit(number), F.lit(name)]
        names = F.create_map(*pairs).cast(MapType(LongType(), self._type))
        return F.transform_keys(distances, lambda key, _: F.element_at(names, key))

    def _swap(self, frame: DataFrame, column: str, old: str, new: str) -> DataFrame:
        table = self._ranks.select(F.col(old).alias(column), F.col(new).alias("_other"))
        return frame.join(table, column).drop(column).withColumnRenamed("_other", column)


def _asked(offered: Mapping[str, object], *columns: str) -> dict[str, str]:
    """Return our name of each column with the one it has in the input."""
    params = offered.get("params")
    if not isinstance(params, Mapping):
        params = {}
    return {name: str(params.get(name, name)) for name in columns}


def _input(offered: Mapping[str, object], name: str, columns: Mapping[str, str]) -> DataFrame:
    frame = offered.get(name)
    if not isinstance(frame, DataFrame):
        inputs = [key for key, value in offered.items() if isinstance(value, DataFrame)]
        raise SpecError(
            "a graph stage reads two inputs named 'vertices' and 'edges'; this one reads "
            f"{sorted(inputs)}: add {name!r} to its reads (its columns may have any names: params "
            "'id', 'src' and 'dst' say which)"
        )
    _require(columns, frame, name)
    named = [_column(theirs).alias(ours) for ours, theirs in columns.items()]
    taken = {*columns.keys(), *columns.values()}
    others = [_column(other) for other in frame.columns if other not in taken]
    return frame.select(*named, *others)


def _require(columns: Mapping[str, str], frame: DataFrame, name: str) -> None:
    missing = {ours: theirs for ours, theirs in columns.items() if theirs not in frame.columns}
    if missing:
        params = ", ".join(f"{ours!r}: '<column>'" for ours in missing)
        raise SpecError(
            f"input {name!r} has no column {sorted(missing.values())}; it has {frame.columns}: "
            f"rename, or say which column it is with params={{{params}}}"
        )


def _column(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")


def _id_type(vertices: DataFrame, edges: DataFrame) -> DataType:
    types = {"id": vertices.schema["id"].dataType}
    for end in ("src", "dst"):
        types[end] = edges.schema[end].dataType
    if types["src"] == types["id"] == types["dst"]:
        return types["id"]
    if all(isinstance(one, IntegralType) for one in types.values()):
        return LongType()
    found = ", ".join(f"{name} is {one.simpleString()}" for name, one in types.items())
    raise SpecError(
        f"a graph's ids are of one type, but {found}: cast them alike in the stage before this one"
    )


def _typed(frame: DataFrame, id_type: DataType, *columns: str) -> DataFrame:
    typed = {name: F.col(name).cast(id_type) for name in columns}
    return frame.dropna(subset=list(columns)).withColumns(typed)
