"""What follows from each class of failure: the tree of errors as a table, without Airflow."""

from dataclasses import dataclass
from datetime import timedelta

from tidegate.errors import (
    ClusterUnavailable,
    DataError,
    DriverLost,
    GateClosed,
    JobError,
    PublishError,
    ResourceExhausted,
    SpecError,
    TidegateError,
)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What follows from one class of failure; ``delay`` is None where it is never retried."""

    reason: str
    do: str
    delay: timedelta | None = None


ADVICE: dict[type[TidegateError], Advice] = {
    SpecError: Advice(
        reason="the DAG, job file, suite or set-up must change first",
        do="change what the first line names, then clear this task",
    ),
    JobError: Advice(
        reason="the job's code must change first", do="fix the job, then clear this task"
    ),
    DataError: Advice(
        reason="the data must change first", do="fix or land the data, then clear this task"
    ),
    GateClosed: Advice(
        reason="a verdict is final: the same data would fail again",
        do="fix the data or the suite, then clear this task",
    ),
    ResourceExhausted: Advice(
        reason="more may be free on the next try",
        do="if it comes back: more driver_memory or executor_memory, or collect less",
        delay=timedelta(minutes=1),
    ),
    ClusterUnavailable: Advice(
        reason="the cluster may answer again",
        do="check the master and the stores it talks to",
        delay=timedelta(minutes=2),
    ),
    DriverLost: Advice(
        reason="the driver may have been killed from outside",
        do="read the end of the Spark log",
        delay=timedelta(seconds=30),
    ),
    PublishError: Advice(
        reason="it publishes what is staged, or does the work anew",
        do="check who else writes this table",
        delay=timedelta(seconds=30),
    ),
}
