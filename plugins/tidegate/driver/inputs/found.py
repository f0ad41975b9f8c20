"""One opened input."""

from dataclasses import dataclass

from tidegate.contract import Input


@dataclass(frozen=True)
class Found:
    """A frame or model, what the report says of it, and what identifies its state."""

    value: object
    seen: Input
    state: str
