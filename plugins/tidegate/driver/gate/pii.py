"""Which expectations can see a ``pii`` column, however its name is spelled.

Names are matched as Spark resolves them. Where that cannot be told from a text, the expectation is
taken to see the column: one hidden too many costs an example, one too few a person's address.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

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
        spelled = [self._same(name) for name in names]
        self._paths = {path for name in spelled for path in _readings(name)}
        self._words = [_word(part) for path in self._paths for part in (path[0], path[-1])]

    def seen_by(self, kind: str, kwargs: Mapping[str, Any]) -> bool:
        """Tell whether an expectation of type ``kind`` may see values of one of the columns."""
        if not self._paths:
            return False
        asked = {key: value for key, value in kwargs.items() if key != "batch_id"}
        if any("query" in key for key in asked):
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
        if _READS_ALL.search(text):
            return True
        return any(word.search(spelled) for word in self._words)

    def _overlaps(self, seen: Path) -> bool:
        """Tell whether ``seen`` lies on a hidden path, above it, or below it.

        What stands before the column may be a table's name, its catalog's or an alias.
        """
        tails = [seen[start:] for start in range(len(seen))]
        if ("*",) in tails and len(tails) > 1:
            tails = [tail[:-1] for tail in tails[:-1]]
        if tails == [("*",)]:
            return True
        return any(_alike(tail, path) for tail in tails for path in self._paths)


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


def _leads(data_type: DataType, path: Path, same: Callable[[str], str]) -> bool:
    """Tell whether ``path`` leads to something in ``data_type``."""
    if not path:
        return True
    if isinstance(data_type, StructType):
        named = [each for each in data_type.fields if same(each.name) == same(path[0])]
        return any(_leads(each.dataType, path[1:], same) for each in named)
    if isinstance(data_type, ArrayType):
        return _leads(data_type.elementType, path, same)
    return isinstance(data_type, MapType) and _leads(data_type.valueType, path[1:], same)


def _no_column(name: str, schema: StructType) -> str:
    told = f"meta.tidegate.pii names {name!r}, which is no column of the judged data"
    known = {_folded(column): column for column in _columns(schema, "")}
    nearest = get_close_matches(_folded(name), known, n=3, cutoff=0.4)
    if nearest:
        return f"{told}; nearest: {', '.join(known[each] for each in nearest)}"
    return f"{told}; columns: {', '.join(known.values())}"


def _columns(data_type: DataType, above: str) -> Iterator[str]:
    if isinstance(data_type, ArrayType):
        yield from _columns(data_type.elementType, above)
    if isinstance(data_type, StructType):
        for each in data_type.fields:
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


def _word(name: str) -> re.Pattern[str]:
    """Return a pattern that finds a name as a word of its own, in backticks or without."""
    spellings = {re.escape(name), re.escape(name.replace("`", "``"))}
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(spellings))})(?!\w)")


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, the keys of objects too."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(item)
    elif hasattr(value, "to_json_dict"):  # GX's own condition objects
        yield from _texts(value.to_json_dict())
    elif value is not None:
        yield str(value)


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
