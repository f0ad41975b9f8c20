"""What can be known to be wrong before a driver is started, each as one clear ``SpecError``.

Twice: while the DAG file is read, as far as templates let see, and in the run, of what they became.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any

from airflow.sdk import BaseOperator

from tidegate.contract import KINDS, RESERVED, Kind, is_table, merge_of, parse_read
from tidegate.errors import SpecError

_MODEL = re.compile(r"[^/:%\"'\x00-\x1f]+")
_TEMPLATE = re.compile(r"\{[{%]")
_MODES = ("replace", "append")
_ENGINES = ("graphx", "graphframes")


def templated(value: object) -> bool:
    """Tell whether a value is known only once Airflow has rendered it."""
    return isinstance(value, str) and bool(_TEMPLATE.search(value))


def later(value: object) -> bool:
    """Tell whether a value is a reference that Airflow resolves in the run."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


@contextmanager
def unknown_told(given: Mapping[str, Any], stage: type[BaseOperator]) -> Iterator[None]:
    """Tell of an argument that no operator takes which one may have been meant.

    :raises SpecError: in the place of Airflow's ``TypeError``.
    """
    try:
        yield
    except TypeError as refused:
        airflows = signature(BaseOperator.__init__).parameters
        unknown = sorted(given.keys() - airflows.keys())
        if not unknown:
            raise
        known = [*signature(stage.__init__).parameters, *airflows]
        close = get_close_matches(unknown[0], known, n=2)
        raise SpecError(
            f"task {given.get('task_id')!r}: unknown argument {unknown[0]!r}; nearest: {close}. "
            "docs/reference.md has them all"
        ) from refused.__cause__


@dataclass(frozen=True)
class Checks:
    """The checks of one task.

    :param rendered: whether templates have become values: braces are then no template any more,
        and whatever somebody typed into the trigger form is looked at.
    """

    task_id: str
    kind: Kind
    rendered: bool = False

    def require(self, holds: object, told: str) -> None:
        """Refuse what does not hold.

        :raises SpecError: naming the task, and saying ``told``.
        """
        if not holds:
            raise SpecError(f"task {self.task_id!r}: {told}")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the task in what is refused within, unless it is named already.

        :raises SpecError: as the block does.
        """
        try:
            yield
        except SpecError as wrong:
            if str(wrong).startswith("task "):
                raise
            # The same words, but for the task; Airflow shows both tracebacks, if there are two.
            raise SpecError(f"task {self.task_id!r}: {wrong}") from None

    def waits(self, value: object) -> bool:
        """Tell whether a value is still to be rendered."""
        return not self.rendered and (templated(value) or later(value))

    def is_known(self, read: object) -> bool:
        """Tell whether an entry of ``reads`` holds nothing that is known only in the run."""
        texts = [read]
        if isinstance(read, Mapping):
            texts = list(read.values())
        return isinstance(read, str | Mapping) and not any(map(self.waits, texts))

    def reads(self, reads: object) -> None:
        """Refuse reads that cannot be opened.

        :raises SpecError: if ``reads`` is no mapping, is empty, or has an entry or name that cannot
            be.
        """
        if self.waits(reads):
            return
        if not isinstance(reads, Mapping) or not reads:
            raise SpecError(
                f"task {self.task_id!r}: reads={reads!r}; name at least one input, "
                "e.g. reads={'orders': 'lake.shop.orders'}"
            )
        for name, value in reads.items():
            self._read(name, value)

    def _read(self, name: object, value: object) -> None:
        taken = f"reads[{name!r}]: {RESERVED} are what every job is offered; choose another name"
        self.require(name not in RESERVED, taken)
        if self.is_known(value):
            self._parse(name, value)
        else:
            # Of a template or another task's output, the name alone is known already.
            self._parse(name, "known_later.csv")
            told = f"reads[{name!r}] is {type(value).__name__}; give a path, a table or a stage"
            if self.rendered and value is None:
                told = f"reads[{name!r}]: its task has left no result in this run; run that first"
            self.require(isinstance(value, str | Mapping) or self.waits(value), told)

    def _parse(self, name: object, value: object) -> None:
        with self.named():
            # Which task it is, parse_read cannot know.
            read = parse_read(str(name), value)
        told = f"reads[{name!r}] is a stream, which a {self.kind} stage would never see the end of"
        is_stream = getattr(read, "stream", False)
        self.require(not is_stream or self.kind == "stream", f"{told}: use StreamStageOperator")

    def writes(self, writes: str | None) -> None:
        """Refuse a target that cannot be written.

        :raises SpecError: if a table's name lacks its catalog, or a model's has characters that
            MLflow refuses.
        """
        publishes = KINDS[self.kind].publishes
        if publishes == "nothing" or self.waits(writes):
            return
        told = f"writes={writes!r}; name the {publishes} it publishes to"
        self.require(isinstance(writes, str) and writes, told)
        if publishes == "model":
            told = f"writes={writes!r} is no MLflow model name (no '/', ':', '%' or quotes)"
            self.require(_MODEL.fullmatch(str(writes)), told)
        else:
            told = (
                f"writes={writes!r} names no catalog.namespace.table of letters, digits and '_', "
                "such as 'lake.shop.orders'"
            )
            self.require(is_table(str(writes)), told)

    def mode(self, mode: object, partition: object, keys: object = None) -> None:
        """Refuse a partition, a mode and keys that do not go together.

        :raises SpecError: if they do not, or one has no meaning for this kind.
        """
        if any(map(self.waits, (mode, partition, keys))):
            return
        merges = self._merges(mode, keys)
        told = f"mode={mode!r}; use 'replace' (the default), 'append', or 'merge' with keys"
        self.require(merges or mode in _MODES, told)
        told = "mode='update' is of a stream; use mode='merge'"
        self.require(mode != "update" or self.kind == "stream", told)
        told = f"partition={partition!r}; give column to value, e.g. {{'ds': '{{{{ ds }}}}'}}"
        self.require(self._is_partition(partition), told)
        adds = mode != "replace"
        told = (
            "a partition is replaced whole; leave partition out to append or to merge, or mode to "
            "replace"
        )
        self.require(not (partition and adds), told)
        told = f"partition and mode are for tables; a {self.kind} stage writes none"
        is_plain = not partition and not adds
        self.require(is_plain or KINDS[self.kind].publishes == "table", told)

    def _merges(self, mode: object, keys: object) -> bool:
        with self.named():
            # Which task it is, merge_of cannot know.
            return merge_of(mode, keys) is not None

    def _is_partition(self, partition: object) -> bool:
        if not isinstance(partition, Mapping):
            return False
        known = [value for value in partition.values() if not self.waits(value)]
        return all(isinstance(text, str) and text for text in [*partition, *known])

    def sole_writer(self, writes: str | None, written: Mapping[str, Iterable[str]]) -> None:
        """Refuse a second stage of one DAG that writes the same target.

        :param written: what each other task of the DAG writes.
        :raises SpecError: naming the first.
        """
        if not isinstance(writes, str):
            return
        writers = [task_id for task_id, targets in written.items() if writes in targets]
        first = min(writers, default=None)
        told = (
            f"{writes} is already written by task {first!r}; two stages of one DAG would replace "
            "each other's rows: give each its own table, or let one stage read both inputs"
        )
        self.require(first is None, told)

    def job(self, job: str | None) -> None:
        """Refuse a job of the wrong language.

        :raises SpecError: if ``job`` does not end as the jobs of its kind do.
        """
        suffix = KINDS[self.kind].suffix
        if suffix is None or self.waits(job):
            return
        told = f"job={job!r}; this operator runs a {suffix} file of spark_jobs/"
        self.require(isinstance(job, str) and job.endswith(suffix), told)

    def graph(self, reads: Mapping[str, Any], engine: str) -> None:
        """Refuse a graph without its two inputs, or of an engine that is none.

        :raises SpecError: naming what is missing.
        """
        if self.waits(reads) or self.waits(engine):
            return
        missing = [name for name in ("vertices", "edges") if name not in reads]
        told = (
            "a graph is built from reads 'vertices' and 'edges'; "
            f"{missing} missing, got {sorted(reads)}"
        )
        self.require(not missing, told)
        self.require(engine in _ENGINES, f"engine={engine!r}; use 'graphx' or 'graphframes'")
