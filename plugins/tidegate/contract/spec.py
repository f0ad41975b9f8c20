"""The spec: everything a driver needs to run one attempt of one stage."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal, Self

from tidegate.contract.kinds import Kind
from tidegate.contract.merge import Merge
from tidegate.contract.reads import Read, read_as_json, read_of_json
from tidegate.contract.stream import Stream
from tidegate.errors import SpecError

PROTOCOL = 2
"""Version of both documents; a driver refuses a spec of another version."""

VARIABLE = "spark.tidegate.env."
"""Begins the conf that is an environment variable of a driver that no process beside it starts."""
SECRETS = "TIDEGATE_SECRETS"
"""The variable of a driver's pod that holds secret conf, as one JSON object."""

Mode = Literal["replace", "append", "merge", "update"]


def digest(document: object) -> str:
    """Return the SHA-256 of a JSON document or of bytes, as 64 hex digits."""
    if isinstance(document, bytes):
        return sha256(document).hexdigest()
    return sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


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
    """A Great Expectations suite: its file's stem and its JSON document."""

    name: str
    document: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The hash that every published snapshot carries."""
        return digest(self.document)

    @property
    def has_pii(self) -> bool:
        """Whether it marks any column as ``pii``; also of a document that nobody has checked."""
        document = self.document
        entries = document.get("expectations") if isinstance(document, Mapping) else None
        holders = [document, *entries] if isinstance(entries, list) else [document]
        return any(map(_marks_pii, holders))


def _marks_pii(holder: object) -> bool:
    """Tell whether a suite or an expectation has a list ``meta.tidegate.pii`` that is not empty."""
    for key in ("meta", "tidegate", "pii"):
        if not isinstance(holder, Mapping):
            return False
        holder = holder.get(key)
    return bool(holder)


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """Everything a driver needs to run one attempt of one stage.

    It is written to a file, never to a command line, which every user of the machine can read.

    ``folder`` is the URI of the attempt's files, see :mod:`tidegate.store`; without ``publish`` the
    attempt ends at its verdict, and what it judged stays aside.
    """

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
    merge: Merge | None = None
    engine: str | None = None
    stream: Stream | None = None
    conf: Mapping[str, str] = field(default_factory=dict, repr=False)
    publish: bool = True
    protocol: int = PROTOCOL

    @property
    def key(self) -> str:
        """DAG, task, map index and partition; that of an append or a merge holds its run instead.

        What replaces rows makes an older run's work worthless; what adds to them does not. What is
        only judged has a key of its own: it fences no attempt off that is to publish. A stream goes
        on from run to run: its key holds none.
        """
        attempt = self.attempt
        scope = dict(self.partition)
        if self.adds and self.publish:
            scope = {"run_id": attempt.run_id}
        key: list[Any] = [attempt.dag_id, attempt.task_id, attempt.map_index, scope]
        if not self.publish:
            key.append("only judged")
        return json.dumps(key, sort_keys=True)

    @property
    def adds(self) -> bool:
        """Whether each run adds to the rows of the runs before, and replaces none as a whole."""
        return self.mode != "replace" and self.stream is None

    @property
    def once_a_run(self) -> bool:
        """Whether a run adds its rows once, and any other output of the same run is refused."""
        return self.mode == "append" and self.stream is None

    @property
    def target(self) -> str:
        """What the stage publishes to, or, for a gate of its own, what it judges."""
        return self.writes or self.reads[0].source

    def without_secrets(self) -> Self:
        """Return this spec as it may lie in a folder."""
        return replace(self, conf={})

    def to_json(self) -> str:
        """Return this spec as a JSON document."""
        document = asdict(self)
        document["reads"] = [read_as_json(read) for read in self.reads]
        return json.dumps(document, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        :raises SpecError: if the document is of another protocol version.
        """
        data = json.loads(text)
        if data.get("protocol") != PROTOCOL:
            raise SpecError(
                f"spec of protocol {data.get('protocol')}, driver of {PROTOCOL}: "
                "install the same tidegate on both sides"
            )
        data["attempt"] = Attempt(**data["attempt"])
        data["reads"] = tuple(read_of_json(read) for read in data["reads"])
        data["suite"] = Suite(**data["suite"])
        if data.get("merge"):
            data["merge"] = Merge(**data["merge"])
        if data.get("stream"):
            data["stream"] = Stream(**data["stream"])
        return cls(**data)
