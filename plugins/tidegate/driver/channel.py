"""The driver's own way to the task log: a file that neither data nor a job's prints reach.

Spark's output quotes cells of the data, and a job prints into it what it likes: no line of it can
be taken for the driver's.
"""

import json
from contextlib import suppress

from tidegate.driver.files import Left
from tidegate.store import TOLD

_LONGEST = 2000


class Channel:
    """Tells whoever follows the attempt; a full disk ends the telling, not the work."""

    def __init__(self, files: Left) -> None:
        self._files = files

    def say(self, text: str) -> None:
        """Tell one line."""
        self._tell("say", text[:_LONGEST])

    def spark_ui(self, address: str) -> None:
        """Tell where Spark's UI is."""
        self._tell("ui", address)

    def _tell(self, key: str, text: str) -> None:
        with suppress(OSError):  # the attempt goes on untold
            self._files.append(TOLD, json.dumps({key: text}))
