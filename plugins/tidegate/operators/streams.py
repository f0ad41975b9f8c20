"""The stream: what it takes besides what all stages take, and what is refused of it at parse."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from tidegate.contract import Read, Report, SocketRead, StageSpec, Stream, parse_read
from tidegate.contract.feeds import check_apart
from tidegate.contract.stream import AVAILABLE_NOW, AssetEvents
from tidegate.operators.base import StageOperator
from tidegate.operators.checks import Checks
from tidegate.operators.mapped import listing
from tidegate.operators.result import batch_events

if TYPE_CHECKING:
    from airflow.sdk import Context


class StreamStageOperator(StageOperator):
    """Run a job on a stream: each micro-batch is gated and published to a table, exactly once.

    The job defines ``run(<inputs by name>) -> DataFrame``; at least one of ``reads`` is a stream:
    ``{"path": "landing/events/", "stream": True, "format": "json", "schema": "id INT"}``. The
    others are read once an attempt. One attempt works at a time: a newer one fences it off. With
    ``mode="update"`` and ``keys`` the rows of a micro-batch replace those of the same key.

    :param trigger: ``available_now`` (take what has arrived since the last run, then end), or the
        time from one micro-batch to the next, such as ``10 seconds``, which goes with ``run_for``.
    :param run_for: after how long the task ends, such as ``50 minutes``; the next run goes on.
        (templated)
    :param max_per_batch: the most messages (of files: files) in one micro-batch, of each stream.
    :param dead_letters: whether rows that break a critical expectation by themselves go to
        ``<table>__dead_letters``, as long as their share is within its ``mostly``.
    :param compact: after how long (``1 hour``) or how many micro-batches the small files that the
        stream wrote are made into few, in a commit of its own.
    :param asset_events: ``attempt`` (one event of the table's Asset for all of an attempt), or
        ``batch`` (one for each published micro-batch, when the attempt has ended well).
    """

    kind = "stream"
    template_fields = (*StageOperator.template_fields, "run_for")

    @listing(asset_events="attempt")
    def __init__(
        self,
        *,
        trigger: str = AVAILABLE_NOW,
        run_for: str | None = None,
        max_per_batch: int | None = None,
        dead_letters: bool = False,
        compact: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.trigger = trigger
        self.run_for = run_for
        self.max_per_batch = max_per_batch
        self.dead_letters = dead_letters
        self.compact = compact
        self.asset_events: AssetEvents = kwargs.pop("asset_events", "attempt")
        # Rows are added, and no run is a unit of it: `replace` would lose all but the last batch.
        kwargs.setdefault("mode", "append")
        # Of two runs at a time, the newer one would fence the other off.
        kwargs.setdefault("max_active_tis_per_dag", 1)
        super().__init__(**kwargs)
        if self.asset_events == "batch":
            # Of an Asset that is an outlet itself, Airflow takes one event a task, and no more.
            self.outlets = [_alias_for(each, self.writes) for each in self.outlets]

    @property
    def stream(self) -> Stream:
        """The settings of this stream.

        :raises SpecError: if they cannot be.
        """
        return Stream(
            trigger=self.trigger,
            run_for=self.run_for,
            max_per_batch=self.max_per_batch,
            dead_letters=self.dead_letters,
            compact=self.compact,
            asset_events=self.asset_events,
        )

    def opened(self) -> tuple[list[Read], dict[str, str]]:  # noqa: D102
        reads, secured = super().opened()
        return [self._spooled(read) for read in reads], secured

    def _spooled(self, read: Read) -> Read:
        """Return a read whose lines lie in a folder of its own, if it is of lines."""
        if not isinstance(read, SocketRead):
            return read
        spool = read.spool or f"spool/{self.dag_id}.{self.task_id}/{read.name}"
        return replace(read, spool=str(self._project.root / spool))

    def hand_on(self, spec: StageSpec, report: Report, context: "Context") -> dict[str, Any]:
        """Return what other tasks get, and tell the Asset of each micro-batch if that was asked."""
        result = super().hand_on(spec, report, context)
        alias = AssetAlias(str(self.writes))
        if alias in self.outlets:
            for extra in batch_events(result, report):
                context["outlet_events"][alias].add(Asset(str(self.writes)), extra=extra)
        return result

    def check(self, *, rendered: bool = False) -> None:  # noqa: D102
        super().check(rendered=rendered)
        checks = self.checks(rendered)
        told = f"mode={self.mode!r}; a stream adds rows: leave mode out, or 'update' with keys"
        checks.require(checks.waits(self.mode) or self.mode in ("append", "update"), told)
        if not checks.waits(self.run_for):
            with checks.named():
                _ = self.stream
        if checks.waits(self.reads):
            return
        known = [name for name, value in self.reads.items() if is_stream(value)]
        later = [name for name, value in self.reads.items() if checks.waits(value)]
        told = (
            "none of reads is a stream; of files, write e.g. {'path': 'landing/events/', "
            "'stream': True, 'format': 'json', 'schema': 'id INT'}; or use BatchStageOperator"
        )
        checks.require(known or later, told)
        ports = [name for name in known if "socket" in self.reads[name]]
        told = (
            f"reads {ports}: nobody listens to a TCP port between two runs; give "
            "trigger='10 seconds' and run_for='55 minutes', and schedule the runs close together"
        )
        checks.require(not ports or self.trigger != AVAILABLE_NOW, told)
        with checks.named():
            check_apart(self._known(checks))

    def _known(self, checks: Checks) -> Iterator[Read]:
        """Yield the reads that hold nothing which is known only in the run."""
        for name, value in self.reads.items():
            if checks.is_known(value):
                yield parse_read(name, value)


def _alias_for(outlet: object, writes: str | None) -> object:
    """Return an alias of a table's own Asset; any other outlet as it is."""
    if isinstance(outlet, Asset) and outlet.name == writes:
        return AssetAlias(outlet.name)
    return outlet


def is_stream(value: object) -> bool:
    """Tell whether an entry of ``reads`` is a stream."""
    return isinstance(value, Mapping) and bool(
        value.get("stream") or {"kafka", "socket"} & value.keys()
    )
