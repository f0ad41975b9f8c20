"""A stream in words: what was taken and published, where it stands, how far it is behind."""

from tidegate.contract import Flow, MicroBatch
from tidegate.telling.lines import WIDTH, wrapped

_LONGEST = 160
_MARK = "[strm] "
_ROOM = WIDTH - len(_MARK)


def flow_lines(flow: Flow | None) -> list[str]:
    """Return a stream's log: totals, lag, its last micro-batch; nothing without a stream."""
    if flow is None:
        return []
    totals = (
        f"{_counted(flow)}; {flow.taken:,} messages read, {flow.skipped} micro-batches were "
        f"on main already{_then(', lag ', lag(flow))}{_then('; checkpoint ', rebuilt(flow))}"
    )
    lines = wrapped(totals, _ROOM, 3)
    for batch in flow.last[-1:]:
        lines += wrapped(_told(batch), _ROOM, 2)
    return [f"{_MARK}{line}" for line in lines]


def stopped_at(flow: Flow | None) -> list[str]:
    """Return what a card says of where a stream stopped; nothing without a stream."""
    if flow is None:
        return []
    told = [f"{_counted(flow)} published before"]
    # Of a stream that failed, the last is a published one; of a closed gate, the one that is held.
    closed = [batch for batch in flow.last[-1:] if batch.verdict == "closed"]
    told += [f"held: {offsets(batch)}; the next run judges it anew" for batch in closed]
    return [*told, *filter(None, [_then("checkpoint ", rebuilt(flow))])]


def lag(flow: Flow) -> str:
    """Return how far a stream was behind when it ended; nothing if that is not known."""
    if flow.lag is None:
        return ""
    return f"{flow.lag:,} messages, {flow.behind or 0:,.0f} s behind"


def rebuilt(flow: Flow) -> str:
    """Return what was done to the checkpoint, and why; nothing if it was as main said."""
    if flow.rebuilt is None:
        return ""
    return f"made anew from the offsets on main: {flow.rebuilt}"


def offsets(batch: MicroBatch) -> str:
    """Return which micro-batch it is, and its offsets, as Spark writes them."""
    start = _joined(batch.start) or "the beginning"
    return f"micro-batch {batch.number} from {start} to {_joined(batch.end)}"


def _counted(flow: Flow) -> str:
    return f"{flow.batches:,} micro-batches, {flow.rows:,} rows, {flow.dead:,} dead letters"


def _then(lead: str, told: str) -> str:
    if not told:
        return ""
    return f"{lead}{told}"


def _told(batch: MicroBatch) -> str:
    rows = f"{batch.rows:,} rows {batch.verdict} in {batch.seconds:.1f} s"
    return f"{offsets(batch)}: {rows}"


def _joined(texts: tuple[str, ...]) -> str:
    text = "; ".join(texts)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 1]}…"
