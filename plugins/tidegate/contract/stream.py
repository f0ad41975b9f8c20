"""What a stream is asked: when it takes what has arrived, how much at once, and for how long."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from tidegate.errors import SpecError, require

AVAILABLE_NOW = "available_now"
AssetEvents = Literal["attempt", "batch"]
"""What each of a stream's events of its Asset is of."""
_COMPACT = "such as '1 hour', or a whole number of micro-batches"
_DURATION = re.compile(r"(?P<count>\d+) (?P<unit>second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The settings of a stream.

    :param trigger: ``available_now`` (take what has arrived since the last run, then end), or the
        time from one micro-batch to the next, such as ``10 seconds``.
    :param run_for: after how long the stream ends; the next run goes on from there.
    :param max_per_batch: the most messages (of files: files) in one micro-batch, of each input.
    :param dead_letters: whether rows that break a critical rule by themselves go to the dead
        letters, as long as their share is within the rule's ``mostly``.
    :param compact: after how many micro-batches, or how long, what the stream wrote is compacted.
    :param asset_events: what each event of the table's Asset is of: a whole attempt, or a
        micro-batch.
    :raises SpecError: if any of them cannot be, or they do not go together.
    """

    trigger: str = AVAILABLE_NOW
    run_for: str | None = None
    max_per_batch: int | None = None
    dead_letters: bool = False
    compact: int | str | None = None
    asset_events: AssetEvents = "attempt"

    def __post_init__(self) -> None:
        ends = self.trigger == AVAILABLE_NOW
        if not ends:
            _duration("trigger", self.trigger, f"{AVAILABLE_NOW!r}, or such as '10 seconds'")
        if self.run_for is not None:
            _duration("run_for", self.run_for, "such as '50 minutes'")
        require(
            ends or self.run_for is not None,
            f"trigger={self.trigger!r} never ends by itself; say after how long the task ends, "
            "e.g. run_for='50 minutes': the next run goes on from there",
        )
        most = self.max_per_batch
        require(
            most is None or _is_count(most),
            f"max_per_batch={most!r}; give a whole number of messages, at least 1",
        )
        told = f"dead_letters={self.dead_letters!r}; give True or False"
        require(isinstance(self.dead_letters, bool), told)
        require(
            not isinstance(self.compact, int) or _is_count(self.compact),
            f"compact={self.compact!r}; give {_COMPACT}, at least 1",
        )
        _ = self.compact_seconds
        told = f"asset_events={self.asset_events!r}; give 'attempt' or 'batch'"
        require(self.asset_events in get_args(AssetEvents), told)

    @property
    def every(self) -> str | None:
        """The time from one micro-batch to the next; None to end when all has been taken."""
        if self.trigger == AVAILABLE_NOW:
            return None
        return self.trigger

    @property
    def seconds(self) -> float | None:
        """After how many seconds the stream ends, if it does not before."""
        if self.run_for is None:
            return None
        return _duration("run_for", self.run_for, "such as '50 minutes'")

    @property
    def compact_batches(self) -> int | None:
        """After how many micro-batches the stream compacts, if it counts those."""
        if isinstance(self.compact, int):
            return self.compact
        return None

    @property
    def compact_seconds(self) -> float | None:
        """After how many seconds the stream compacts, if it goes by the clock."""
        if self.compact is None or isinstance(self.compact, int):
            return None
        return _duration("compact", self.compact, _COMPACT)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _duration(name: str, value: object, example: str) -> float:
    """Return a duration in seconds.

    :raises SpecError: if it is none.
    """
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not int(found["count"]):
        raise SpecError(f"{name}={value!r}; give {example}")
    return int(found["count"]) * _SECONDS[found["unit"]]
