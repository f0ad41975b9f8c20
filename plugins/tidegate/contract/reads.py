"""What a stage reads: one class a source, each valid from birth."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from keyword import iskeyword
from typing import Any, Self

from tidegate.contract.feeds import KafkaRead, SocketRead
from tidegate.contract.jdbc import JdbcRead
from tidegate.contract.secrets import carries_secret
from tidegate.errors import SpecError, require

FORMATS = ("csv", "json", "parquet", "orc", "delta")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE = re.compile(rf"{_NAME.pattern}(\.{_NAME.pattern}){{2,}}")
_COMPRESSED = re.compile(r"\.(gz|bz2|zst|lz4|snappy|deflate)$")


def is_table(name: str) -> bool:
    """Tell whether ``name`` reads as ``catalog.namespace.table``."""
    return bool(_TABLE.fullmatch(name))


@dataclass(frozen=True, kw_only=True)
class PathRead:
    """Files of a known format at a path or glob; as a ``stream``, each new file once.

    :param min_files: with fewer files than that, the stage fails before it begins.
    :param version: of a Delta table; without it, the one of the moment.
    :raises SpecError: if the format is not given and cannot be told from the path's ending, or a
        stream is given no schema.
    """

    name: str
    path: str
    format: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    schema: str | None = None
    min_files: int | None = None
    version: int | None = None
    stream: bool = False

    def __post_init__(self) -> None:
        where = f"reads[{self.name!r}]"
        require(
            not carries_secret(self.path),
            f"{where}: its path carries a password or signature, which every log and report "
            "would show; give it as conf (spark.hadoop.fs.…)",
        )
        chosen = self.format or _suffix(self.path)
        hint = ""
        if "." in self.path and "/" not in self.path:
            hint = "; a table is written catalog.namespace.table"
        require(
            chosen in FORMATS,
            f"{where}: cannot tell the format of {self.path!r}; "
            f"add 'format': one of {FORMATS}{hint}",
        )
        object.__setattr__(self, "format", chosen)
        object.__setattr__(self, "options", _options(where, self.options))
        require(
            isinstance(self.schema, str | None),
            f"{where}: schema={self.schema!r}; give Spark DDL, such as 'id INT'",
        )
        files = _number(f"{where}: min_files", self.min_files)
        require(files is None or files > 0, f"{where}: min_files={files}; at least 1")
        object.__setattr__(self, "min_files", files)
        version = _number(f"{where}: version", self.version)
        object.__setattr__(self, "version", version)
        is_delta = chosen == "delta"
        told = f"{where}: version is for a Delta table (format 'delta'), or for a model"
        require(is_delta or version is None, told)
        told = f"{where}: a Delta table knows its files and its schema; leave both out"
        require(not is_delta or (files, self.schema) == (None, None), told)
        require(
            isinstance(self.stream, bool), f"{where}: stream={self.stream!r}; give True or leave it"
        )
        require(
            self.schema or not self.stream,
            f"{where}: a stream of files needs a 'schema', in Spark DDL: there may be no file yet "
            "to tell it from",
        )
        require(
            ":" not in _below(self.path),
            f"{where}: Hadoop cannot read a name with ':' in it, as in {self.path!r}; land the "
            "file by another name",
        )

    def bounded(self, most: int | None) -> Self:
        """Return this read, of a stream with at most so many files in one micro-batch."""
        if most is None:
            return self
        return replace(self, options={**self.options, "maxFilesPerTrigger": str(most)})

    @property
    def source(self) -> str:
        """The path, as a person would write it."""
        return self.path


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """A table, at the snapshot ``snapshot_id``, or at the one it has when it is opened.

    :raises SpecError: if the table's name lacks its catalog, or the snapshot's id is no number.
    """

    name: str
    table: str
    snapshot_id: int | None = None

    def __post_init__(self) -> None:
        where = f"reads[{self.name!r}]"
        told = f"{where}: {self.table!r} names no catalog: catalog.namespace.table"
        require(is_table(self.table), told)
        snapshot = _number(f"{where}: snapshot_id", self.snapshot_id)
        object.__setattr__(self, "snapshot_id", snapshot)

    @property
    def source(self) -> str:
        """The table's name."""
        return self.table


@dataclass(frozen=True, kw_only=True)
class ModelRead:
    """A registered model, at one version if ``version`` says so, else the champion of the moment.

    :raises SpecError: if the version is no number.
    """

    name: str
    model: str
    version: int | None = None

    def __post_init__(self) -> None:
        version = _number(f"reads[{self.name!r}]: version", self.version)
        object.__setattr__(self, "version", version)

    @property
    def source(self) -> str:
        """The registered model's name."""
        return self.model


Read = PathRead | TableRead | ModelRead | JdbcRead | KafkaRead | SocketRead
_SOURCES: Mapping[str, Any] = {
    "path": PathRead,
    "table": TableRead,
    "model": ModelRead,
    "jdbc": JdbcRead,
    "kafka": KafkaRead,
    "socket": SocketRead,
}
"""The key that names the source in a mapping, and the class it makes."""


def parse_read(name: str, value: object) -> Read:
    """Read one entry of ``reads``: a path, a table name, or a mapping of one source's own fields.

    :raises SpecError: if the entry names neither a table with its catalog nor a path of a known
        format.
    """
    where = f"reads[{name!r}]"
    require(
        _NAME.fullmatch(name) and not iskeyword(name),
        f"{where}: an input's name is a parameter of run() and a view in SQL; use an "
        "identifier of plain letters, digits and '_'",
    )
    given = _mapping(value)
    named = [key for key in _SOURCES if given.get(key) is not None]
    if given.get("jdbc") is not None:
        named = ["jdbc"]  # whose table is the database's
    told = f"{where}: give one of 'path', 'table' or a stage operator, not {value!r}"
    require(len(named) == 1, told)
    key = named[0]
    require(isinstance(given[key], str), f"{where}: {key!r} is text, not {given[key]!r}")
    source: Callable[..., Read] = _SOURCES[key]
    known = {each.name for each in fields(_SOURCES[key])} - {"name"}
    present = {key: each for key, each in given.items() if each is not None}
    unknown = sorted(set(present) - known)
    told = f"{where}: unknown {unknown}; a read of a {key} takes {sorted(known)}"
    require(not unknown, told)
    return source(name=name, **present)


def read_as_json(read: Read) -> dict[str, Any]:
    """Return a read as a JSON object, which :func:`parse_read` understands but for its ``name``."""
    return {key: value for key, value in asdict(read).items() if value is not None}


def read_of_json(document: Mapping[str, Any]) -> Read:
    """Return the read that :func:`read_as_json` wrote down."""
    told = dict(document)
    return parse_read(told.pop("name"), told)


def _mapping(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str) and is_table(value):
        return {"table": value}
    return {"path": value}


def _suffix(path: str) -> str:
    return _COMPRESSED.sub("", path.rstrip("/")).rpartition(".")[2].lower()


def _below(path: str) -> str:
    """Return a path without its scheme and the host or drive after it."""
    scheme, _, rest = path.rpartition("://")
    if scheme:
        return rest.partition("/")[2]
    return path.removeprefix("file:")


def _options(where: str, options: Any) -> dict[str, str]:
    told = f"{where}: options={options!r}; give a mapping, such as {{'sep': ';'}}"
    require(isinstance(options, Mapping), told)
    return {str(key): str(option) for key, option in options.items()}


def _number(where: str, value: object) -> int | None:
    """Return a whole number, also one that a template has rendered to text."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise SpecError(f"{where} is a whole number, not {value!r}")
