"""The spec: everything a driver needs to run one attempt of one stage."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from tidegate.errors import SpecError

PROTOCOL = 1
"""Version of both documents; a driver refuses a spec of another version."""

Kind = Literal["batch", "sql", "train", "graph", "gate"]
Mode = Literal["replace", "append"]

FORMATS = ("csv", "json", "parquet", "orc")
_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){2,}")
_COMPRESSED = re.compile(r"\.(gz|bz2|zst|lz4|snappy|deflate)$")


def digest(document: object) -> str:
    """Return the SHA-256 of a JSON document or of bytes, as 64 hex digits."""
    raw = (
        document
        if isinstance(document, bytes)
        else json.dumps(document, sort_keys=True, default=str).encode()
    )
    return sha256(raw).hexdigest()


def is_table(name: str) -> bool:
    """Tell whether ``name`` reads as ``catalog.namespace.table``."""
    return bool(_TABLE.fullmatch(name))


@dataclass(frozen=True, kw_only=True)
class Read:
    """One named input: a path of a known format, or a table, at one snapshot if ``snapshot_id`` says so."""

    name: str
    path: str | None = None
    table: str | None = None
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    schema: str | None = None
    snapshot_id: int | None = None
    model: str | None = None

    @classmethod
    def parse(cls, name: str, value: object) -> Self:
        """Read one entry of ``reads``: a path, a table name, or a mapping of this class's own fields.

        :raises SpecError: if the entry names neither a table with its catalog nor a path of a known format.
        """
        where = f"reads[{name!r}]"
        if not name.isidentifier():
            raise SpecError(
                f"{where}: an input's name is a parameter of run() and a view in SQL; use an identifier"
            )
        given: dict[str, Any] = (
            dict(value)
            if isinstance(value, Mapping)
            else {"table" if _names_table(value) else "path": value}
        )
        known = set(cls.__dataclass_fields__) - {"name"}
        if unknown := sorted(set(given) - known):
            raise SpecError(f"{where}: unknown {unknown}; a read takes {sorted(known)}")
        if sum(given.get(key) is not None for key in ("path", "table", "model")) != 1:
            raise SpecError(
                f"{where}: give one of 'path', 'table' or a stage operator, not {value!r}"
            )
        if isinstance(given.get("snapshot_id"), str):  # a template renders to text
            given["snapshot_id"] = int(given["snapshot_id"])
        read = cls(name=name, **given)
        return read if read.path is None else read._with_format(where)

    def _with_format(self, where: str) -> Self:
        path = str(self.path)
        suffix = _COMPRESSED.sub("", path.rstrip("/")).rpartition(".")[2].lower()
        chosen = self.format or suffix
        if chosen not in FORMATS:
            hint = (
                ""
                if "/" in path or "." not in path
                else "; a table is written catalog.namespace.table"
            )
            raise SpecError(
                f"{where}: cannot tell the format of {path!r}; add 'format': one of {FORMATS}{hint}"
            )
        options = {key: str(option) for key, option in self.options.items()}
        return type(self)(**{**vars(self), "format": chosen, "options": options})

    @property
    def source(self) -> str:
        """The path, table or model this input comes from, as a person would write it."""
        return str(self.path or self.table or self.model)


def _names_table(value: object) -> bool:
    return isinstance(value, str) and is_table(value)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Which try of which task: the identity a stage publishes under.

    ``submitted_ms`` (milliseconds since the epoch) orders attempts of one stage, also across runs;
    ``generation`` is Airflow's ``max_tries``, which grows when a task is cleared and only then.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int
    generation: int
    submitted_ms: int


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A Great Expectations suite: its file's stem, its JSON document, and the document's SHA-256."""

    name: str
    document: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The hash that every published snapshot carries."""
        return digest(self.document)


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """Everything a driver needs to run one attempt of one stage; written to a file, never to a command line."""

    kind: Kind
    attempt: Attempt
    reads: tuple[Read, ...]
    suite: Suite
    params: Mapping[str, Any]
    folder: str
    job: str | None = None
    job_sha256: str | None = None
    writes: str | None = None
    partition: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "replace"
    engine: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocol: int = PROTOCOL

    @property
    def stage(self) -> str:
        """The stage key: DAG, task, map index and partition; an append's key holds its run instead."""
        attempt = self.attempt
        scope = {"run_id": attempt.run_id} if self.mode == "append" else dict(self.partition)
        return json.dumps(
            [attempt.dag_id, attempt.task_id, attempt.map_index, scope], sort_keys=True
        )

    @property
    def report_file(self) -> Path:
        """Where the driver writes its report."""
        return Path(self.folder, "report.json")

    @property
    def docs_file(self) -> Path:
        """Where the driver writes the Data Docs page of this attempt."""
        return Path(self.folder, "data_docs.html")

    def to_json(self) -> str:
        """Return this spec as a JSON document."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        :raises SpecError: if the document is of another protocol version.
        """
        data = json.loads(text)
        if data.get("protocol") != PROTOCOL:
            raise SpecError(
                f"spec of protocol {data.get('protocol')}, driver of {PROTOCOL}: install one tidegate"
            )
        data["attempt"] = Attempt(**data["attempt"])
        data["reads"] = tuple(Read(**read) for read in data["reads"])
        data["suite"] = Suite(**data["suite"])
        return cls(**data)
