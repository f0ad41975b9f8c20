"""What a failure may say where the suite has ``pii`` columns: nothing that may quote a value.

Spark, Python and whatever a job calls quote what they could not take: a record, a cell, a key. So
their text goes, all of it, and what cannot hold data stays: condition, class, file and line.
"""

import re
import traceback
from collections.abc import Iterator
from dataclasses import replace

from tidegate.contract import Failure
from tidegate.errors import TidegateError
from tidegate.rules import Fact

_WITHHELD = "its text is withheld, because the suite has pii columns: the Spark log has it"
_FRAMES = 40
_NAME = re.compile(r"[A-Za-z_$][\w$]{0,99}")
_CONDITION = re.compile(r"[A-Z][A-Z0-9_.]{0,199}")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")


def withhold(failure: Failure, error: BaseException, decisive: Fact, job: str | None) -> Failure:
    """Return ``failure`` without a text of the engine's, the job's or Python's.

    :param error: what was raised.
    :param decisive: what the engine says of it.
    :param job: the job file, whose own line is told.
    """
    at_job = job_line(error, job)
    where = job_place(error, job)
    condition = _only(_CONDITION, decisive.condition)
    sqlstate = _only(_SQLSTATE, decisive.sqlstate)
    message = own_text(error, at_job)
    if message is None or not _quotes_nothing(error):
        named = condition or _only(_NAME, decisive.name) or "an error"
        told = _with(_with(named, " ({})", sqlstate), " at {}", where)
        message = _with("", "{}: ", message) + f"{told}; {_WITHHELD}"
    return replace(
        failure,
        message=message,
        cause=None,
        condition=condition,
        sqlstate=sqlstate,
        trace=frames(error),
    )


def own_text(error: BaseException, at_job: str | None) -> str | None:
    """Return what tidegate itself says of ``error``; None if the text may be somebody else's.

    It is ours if it tells apart what it quotes, or if there is nothing that it could quote: no
    other exception behind it, and no line of the job's, which may raise our classes or hand values
    to what raises them.
    """
    if not isinstance(error, TidegateError) or at_job:
        return None
    if error.quote is not None or behind(error) is None:
        return error.text
    return None


def behind(error: BaseException) -> BaseException | None:
    """Return the exception that ``error`` was raised for, or while it was handled."""
    return error.__cause__ or error.__context__


def frames(error: BaseException) -> str:
    """Return the trace of ``error`` and of what lies behind it, as places in the code alone."""
    told: list[str] = []
    for each in reversed(list(_chain(error))):
        for frame in traceback.extract_tb(each.__traceback__):
            told.append(f"  {frame.filename}, line {frame.lineno}, in {frame.name}")
        told.append(_only(_NAME, type(each).__name__) or "an error")
    return "\n".join(told[-_FRAMES:])


def job_place(error: BaseException, job: str | None) -> str | None:
    """Return the line of the job file that ``error`` comes from: passed, or told by the engine."""
    return job_line(error, job) or _told_line(error, job)


def job_line(error: BaseException, job: str | None) -> str | None:
    """Return the last line of the job file that ``error`` passed, as in ``clean.py:12``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == job:
            return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return None


def _told_line(error: BaseException, job: str | None) -> str | None:
    """Return the job's line that the engine tells: of a user function, or of a column's making."""
    if job is None:
        return None
    at = re.escape(job)
    told = re.findall(rf'File "{at}", line (\d{{1,5}})\b|{at}:(\d{{1,5}})\b', str(error))
    if not told:
        return None
    return f"{job.rpartition('/')[2]}:{''.join(told[-1])}"


def _quotes_nothing(error: BaseException) -> bool:
    return isinstance(error, TidegateError) and not error.quote


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        yield each
        each = behind(each)


def _only(pattern: re.Pattern[str], text: str | None) -> str | None:
    """Return ``text`` if it is of the expected shape, which no value of data has to be."""
    if text is not None and pattern.fullmatch(text):
        return text
    return None


def _with(text: str, form: str, more: str | None) -> str:
    if more is None:
        return text
    return text + form.format(more)
