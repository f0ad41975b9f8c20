"""One opened input."""

from dataclasses import dataclass

from tidegate.contract import Input
from tidegate.driver.inputs.letters import Letters


@dataclass(frozen=True)
class Found:
    """A frame or model, what the report says of it, and what identifies its state.

    ``letters`` finds what did not parse, of a stream of messages.
    """

    value: object
    seen: Input
    state: str
    letters: Letters | None = None
