"""What it means that a driver left no report."""

from collections.abc import Iterable, Sequence
from textwrap import shorten

from tidegate.errors import DriverLost, ResourceExhausted, TidegateError
from tidegate.failures import rule_of_tail
from tidegate.rules import Rule

_OUT_OF_MEMORY_EXIT = 52
"""What Spark's own handler of ``OutOfMemoryError`` ends a JVM with."""
_BY_SIGNAL = 128
"""A shell adds it to the number of the signal that ended a process."""


def lost(exit_code: int, tail: Iterable[str]) -> TidegateError:
    """Say why a driver left no report, from spark-submit's exit code and the end of its output."""
    if error := known(tail):
        return error
    if exit_code == _OUT_OF_MEMORY_EXIT:
        return ResourceExhausted(
            "the driver ended before it could report: out of memory (exit code 52); "
            "raise driver_memory"
        )
    return DriverLost(
        f"the driver ended without a report: {_how(exit_code)}; nothing was published by it, "
        "or the retry will find it"
    )


def known(lines: Iterable[str], more: Sequence[Rule] = ()) -> TidegateError | None:
    """Return the error that the last lines are known to mean, if any.

    :param more: rules beside those that hold for every driver.
    """
    found = rule_of_tail(lines, more)
    if found is None:
        return None
    rule, line = found
    told = shorten(line, 300)
    return rule.error(f"the driver ended before it could report: {rule.means}", quote=told)


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by signal {-exit_code}"
    if exit_code > _BY_SIGNAL:
        return f"exit code {exit_code} (signal {exit_code - _BY_SIGNAL})"
    return f"exit code {exit_code}"
