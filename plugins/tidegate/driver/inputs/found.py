"""One opened input."""

from dataclasses import dataclass
from typing import Protocol

from tidegate.contract import Input
from tidegate.driver.inputs.letters import Letters


class Feed(Protocol):
    """What brings the messages of a stream to where Spark reads them, while the stream works."""

    failed: Exception | None

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Hand on what has come, and end."""


@dataclass(frozen=True)
class Found:
    """A frame or model, what the report says of it, and what identifies its state.

    ``letters`` finds what did not parse, of a stream of messages; ``feed`` brings them here.
    """

    value: object
    seen: Input
    state: str
    letters: Letters | None = None
    feed: Feed | None = None
