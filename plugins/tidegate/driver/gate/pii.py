"""Which expectations can see a ``pii`` column, however its name is spelled.

Names are matched as Spark resolves them. Where that cannot be told from a text, the expectation is
taken to see the column: one hidden too many costs an example, one too few a person's address.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import singledispatch
from itertools import chain, product, starmap
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from tidegate.contract import Suite, columns_of
from tidegate.driver.gate.document import Entry, hidden_columns, pii_lists
from tidegate.errors import SpecError

Path = tuple[str, ...]
"""A column and the fields below it, from the outside in."""

_PART = re.compile(r"`((?:[^`]|``)+)`|([^.`]+)")
_PLAIN = re.compile(r"\s*(?:`(?:[^`]|``)+`|\w+|\*)(?:\s*\.\s*(?:`(?:[^`]|``)+`|\w+|\*))*\s*")
"""A name and nothing but a name; any other text is searched for words."""
_READS_ALL = re.compile(r"\bselect\b|\{batch\}", re.I)
_CONDITION_READS_ALL = re.compile(r"\bidentifier\b|[(,.]\s*\*", re.I)
"""A name put together in a condition, or a star in it."""
_NO_ROWS = frozenset(
    {"expect_table_row_count_to_be_between", "expect_table_row_count_to_equal"}
    | {"expect_table_row_count_to_equal_other_table", "expect_table_column_count_to_equal"}
    | {"expect_table_column_count_to_be_between", "expect_table_columns_to_match_set"}
    | {"expect_table_columns_to_match_ordered_list"}
)
"""They look at the whole table, and yet at no value: any other that names no column may."""


class Hidden:
    """The ``pii`` columns that one expectation must not show.

    :param names: as they stand in the suite.
    :param case_sensitive: as ``spark.sql.caseSensitive``.
    """

    def __init__(self, names: Iterable[str], *, case_sensitive: bool = False) -> None:
        self._same = _spelling(case_sensitive)
        spelled = map(self._same, names)
        self._paths = set(chain.from_iterable(map(_readings, spelled)))
        self._word = _word({part for path in self._paths for part in (path[0], path[-1])})

    def seen_by(self, kind: str, kwargs: Mapping[str, Any]) -> bool:
        """Tell whether an expectation of type ``kind`` may see values of one of the columns."""
        if not self._paths:
            return False
        asked = dict(kwargs)
        asked.pop("batch_id", None)
        if "query" in " ".join(asked):
            return True
        if not columns_of(asked) and kind not in _NO_ROWS:
            return True
        condition = " ".join(_texts(asked.get("row_condition")))
        if _CONDITION_READS_ALL.search(condition):
            return True
        return any(map(self._named_in, _texts(asked)))

    def _named_in(self, text: str) -> bool:
        spelled = self._same(text)
        if _PLAIN.fullmatch(spelled):
            return any(map(self._overlaps, _readings(spelled)))
        return bool(_READS_ALL.search(text) or self._word.search(spelled))

    def _overlaps(self, seen: Path) -> bool:
        """Tell whether ``seen`` lies on a hidden path, above it, or below it.

        What stands before the column may be a table's name, its catalog's or an alias.
        """
        if seen[-1] == "*":
            seen = seen[:-1]
        if seen in ((), ("*",)):
            return True
        tails = [seen[start:] for start in range(len(seen))]
        return any(starmap(_alike, product(tails, self._paths)))


def hidden_of(suite: Suite, entry: Entry) -> Hidden:
    """Return what one expectation of ``suite`` must not show, as the running Spark reads names."""
    spark = SparkSession.getActiveSession()
    sensitive = spark is not None and is_case_sensitive(spark)
    return Hidden(hidden_columns(suite, entry), case_sensitive=sensitive)


def is_case_sensitive(spark: SparkSession) -> bool:
    """Tell whether Spark takes ``EMAIL`` and ``email`` for two columns."""
    return spark.conf.get("spark.sql.caseSensitive", "false") == "true"


def check_pii(suite: Suite, spark: SparkSession, schema: StructType) -> None:
    """Make sure that every ``pii`` name of ``suite`` is a column of data with this schema.

    :raises SpecError: if one is not: a slip of the pen would show what was to be hidden.
    """
    for where, names in pii_lists(suite):
        for name in names:
            _require_column(where, name, spark, schema)


def _require_column(where: str, name: str, spark: SparkSession, schema: StructType) -> None:
    same = _spelling(is_case_sensitive(spark))
    if not any(_leads(schema, path, same) for path in _readings(name)):
        raise SpecError(f"{where}: {_no_column(name, schema)}")


def _leads(schema: StructType, path: Path, same: Callable[[str], str]) -> bool:
    """Tell whether ``path`` leads to something in ``schema``."""
    found: list[DataType] = [schema]
    for part in path:
        found = [inner for each in found for inner in _named(each, part, same)]
    return bool(found)


@singledispatch
def _named(data_type: DataType, part: str, same: Callable[[str], str]) -> list[DataType]:
    """Return what one part of a path names in ``data_type``."""
    return [each.dataType for each in _fields(data_type) if same(each.name) == same(part)]


@_named.register
def _named_in_array(data_type: ArrayType, part: str, same: Callable[[str], str]) -> list[DataType]:
    return _named(data_type.elementType, part, same)


@_named.register
def _named_in_map(data_type: MapType, part: str, same: Callable[[str], str]) -> list[DataType]:
    return [data_type.valueType]  # any part may be a key


@singledispatch
def _fields(data_type: DataType) -> Sequence[StructField]:
    return ()


@_fields.register
def _fields_of_struct(data_type: StructType) -> Sequence[StructField]:
    return data_type.fields


@_fields.register
def _fields_of_array(data_type: ArrayType) -> Sequence[StructField]:
    return _fields(data_type.elementType)


def _no_column(name: str, schema: StructType) -> str:
    told = f"meta.tidegate.pii names {name!r}, which is no column of the judged data"
    known = {_folded(column): column for column in _columns(schema, "")}
    nearest = get_close_matches(_folded(name), known, n=3, cutoff=0.4)
    if nearest:
        return f"{told}; nearest: {', '.join(known[each] for each in nearest)}"
    return f"{told}; columns: {', '.join(known.values())}"


def _columns(data_type: DataType, above: str) -> Iterator[str]:
    for each in _fields(data_type):
        yield above + each.name
        yield from _columns(each.dataType, f"{above}{each.name}.")


def _readings(name: str) -> Iterator[Path]:
    """Yield a name as one column whose name may hold dots, and as a path."""
    yield (name.strip(),)
    if _PART.sub("", name).strip(". "):
        return  # a backtick that closes nowhere
    parts = [quoted.replace("``", "`") or bare.strip() for quoted, bare in _PART.findall(name)]
    path = tuple(filter(None, parts))
    if path:
        yield path


def _alike(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _word(names: set[str]) -> re.Pattern[str]:
    """Return a pattern that finds a name as a word of its own, in backticks or without."""
    spellings = names | {name.replace("`", "``") for name in names}
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, spellings)))})(?!\w)")


@singledispatch
def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, the keys of objects too."""
    if hasattr(value, "to_json_dict"):  # GX's own condition objects
        yield from _texts(value.to_json_dict())
    else:
        yield str(value)


@_texts.register
def _texts_of_nothing(_value: None) -> Iterator[str]:
    return iter(())


@_texts.register(Mapping)
def _texts_of_object(value: Mapping[Any, Any]) -> Iterator[str]:
    for key, item in value.items():
        yield str(key)
        yield from _texts(item)


@_texts.register(list)
@_texts.register(tuple)
@_texts.register(set)
@_texts.register(frozenset)
def _texts_of_list(value: Iterable[Any]) -> Iterator[str]:
    return chain.from_iterable(map(_texts, value))


def _spelling(case_sensitive: bool) -> Callable[[str], str]:
    if case_sensitive:
        return str
    return _folded


def _folded(name: str) -> str:
    """Return a name as Java's ``equalsIgnoreCase`` compares it: letter by letter."""
    return "".join(map(_folded_letter, name))


def _folded_letter(letter: str) -> str:
    upper = letter.upper()
    if len(upper) != 1:  # Java keeps a letter whose capital is two
        upper = letter
    return upper.lower()[0]
