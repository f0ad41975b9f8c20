"""Every way a stage can fail, named by what the reader should do next.

TidegateError
├── SpecError            the DAG, job file or suite is wrong      → fix it        never retried
├── JobError             the job's own code raised                → fix it        never retried
├── DataError            the data broke the job (bad cast, …)     → look at data  never retried
├── GateClosed           the data broke its expectations          → look at data  never retried
├── ResourceExhausted    out of memory, out of disk               → retried
├── ClusterUnavailable   master, broker, storage did not answer   → retried later
├── DriverLost           no report came back                      → retried
└── PublishError         judged data could not be moved           → retried from what is staged
"""

from typing import Self


class TidegateError(Exception):
    """Base of every failure a stage reports; its text says what, where and what to do.

    :param quote: what it quotes of an engine or of a value, told after the text. Where a suite has
        ``pii`` columns, it is left out; "" says that the text quotes nothing.
    :param cause: the one line of the engine's that decides, where it says more than the text.
    :param condition: Spark's error condition, such as ``CAST_INVALID_INPUT``.
    :param sqlstate: its SQLSTATE, five characters.
    """

    def __init__(
        self,
        text: str = "",
        *,
        quote: str | None = None,
        cause: str | None = None,
        condition: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        told = text
        if quote:
            told = f"{text}: {quote}"
        super().__init__(told)
        self.text = text
        self.quote = quote
        self.cause = cause
        self.condition = condition
        self.sqlstate = sqlstate

    def without_quote(self) -> Self:
        """Return this error as it may be told where the data holds what nobody may see."""
        return type(self)(self.text, quote="", condition=self.condition, sqlstate=self.sqlstate)


class SpecError(TidegateError):
    """The DAG, the job file, the suite or the set-up is wrong, and stays so until it is changed."""


def require(holds: object, told: str) -> None:
    """Refuse what only a change of the DAG, the job file or the suite puts right.

    :raises SpecError: saying ``told``, if it does not hold.
    """
    if not holds:
        raise SpecError(told)


class JobError(TidegateError):
    """The job's own code raised."""


class DataError(TidegateError):
    """The input data broke the job: unreadable, missing, or of a value the job cannot take."""


class GateClosed(TidegateError):
    """The data broke an expectation of severity ``critical``; nothing was published."""


class ResourceExhausted(TidegateError):
    """Memory or disk ran out."""


class ClusterUnavailable(TidegateError):
    """A master, broker or store did not answer."""


class DriverLost(TidegateError):
    """The driver ended without leaving a report."""


class PublishError(TidegateError):
    """Judged data could not be moved to where readers look, or a newer attempt has taken over."""


BY_NAME: dict[str, type[TidegateError]] = {
    cls.__name__: cls for cls in TidegateError.__subclasses__()
}
