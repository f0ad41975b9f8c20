"""What every way to run a driver offers, and who listens."""

from typing import Protocol

from tidegate.errors import TidegateError


class Listener(Protocol):
    """Who is told what a driver says while it works."""

    def say(self, text: str) -> None:
        """Take one line for the task log; it is clean, and bounded."""

    def spark_ui(self, address: str) -> None:
        """Take the address of Spark's UI; at most once, and http(s) only."""


class Submission(Protocol):
    """One driver of one attempt."""

    def start(self) -> None:
        """Make everything ready that a driver needs.

        :raises SpecError: if this machine or its configuration lacks something.
        """

    def follow(self) -> int:
        """Run the driver to its end; return its exit code (negative: killed by that signal)."""

    def end(self) -> None:
        """End the driver and everything it started; do nothing if it has ended."""

    def lost(self, exit_code: int) -> TidegateError:
        """Return what it means that the driver ended with this code and left no report."""
