"""An attempt's files at the place that all machines reach, for whoever submits from this one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tidegate.contract import Attempt
from tidegate.errors import ClusterUnavailable, SpecError
from tidegate.store import HEIR, AttemptFiles, Files


@contextmanager
def reached(what: str) -> Iterator[None]:
    """Say of a failure in this block that it is the place's.

    :raises ClusterUnavailable: if it cannot be read or written, or holds what nobody has written.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as failed:
        raise ClusterUnavailable(
            f"[tidegate] reports_dir: {what} cannot be read or written there", quote=str(failed)
        ) from failed


def fetch(there: Files, here: AttemptFiles, *names: str) -> None:
    """Bring what a driver left to this machine, if it is not there anyway.

    :raises ClusterUnavailable: if its place cannot be read.
    """
    if there.uri == here.uri:
        return
    for name in names:
        # Whatever was not left is not brought.
        with reached(f"{name} of the driver"), suppress(FileNotFoundError, NotADirectoryError):
            here.write(name, there.read(name))


def inherit(there: Files, heir: Attempt) -> None:
    """Say that a later try waits for this one's driver from now on.

    :raises ClusterUnavailable: if it cannot be said.
    """
    with reached("the try that waits now"):
        there.write(HEIR, str(heir.try_number))


def is_anothers(there: Files, mine: Attempt) -> bool:
    """Tell whether a later try waits for this one's driver.

    A worker that was out of reach for a while is told to end its task, which Airflow has given up;
    the driver is not the task's to end any more.
    """
    return heir_of(there) > mine.try_number


def heir_of(there: Files) -> int:
    """Return the number of the try that waits for a driver in its own try's place; 0 of none."""
    with suppress(OSError, ValueError, SpecError):  # nobody said so
        return int(there.read(HEIR))
    return 0
