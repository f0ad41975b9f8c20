"""Mapped stages: what ``partial`` and ``expand`` make of a stage, checked copy by copy.

Airflow makes a mapped task of arguments alone; the stage itself is made once a copy, in its worker.
What a stage does in ``__init__`` for the DAG (arrows, outlets, checks) is done here at parse.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, TypeVar

from airflow.sdk import Asset, get_current_context
from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial
from airflow.sdk.exceptions import AirflowException

from tidegate.errors import SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.operators.checks import later, templated
from tidegate.operators.copies import copies, refuse_rivals, targets
from tidegate.operators.run import refusals_told
from tidegate.submit.arguments import SPARK_ARGUMENTS
from tidegate.submit.secrets import part

F = TypeVar("F", bound=Callable[..., None])
_MAY_BE_SECRET = ("conf", "env_vars")
SPARK = dict.fromkeys(sorted(SPARK_ARGUMENTS))
"""Spark's arguments, each with its default."""
_CHECKED = ("job", "reads", "writes", "partition", "gate", "mode", "keys", "engine")
"""The arguments that a copy is checked by; while one is not known, a reference stands in for it."""
_REQUIRED = ("job", "reads", "writes", "gate")


@dataclass(frozen=True)
class Sealed:
    """A value that the stored DAG shows only as this text: a mapped task's arguments are stored."""

    value: Any = field(repr=False)


def unsealed(value: Any) -> Any:
    """Return what was sealed; anything else as it is."""
    if isinstance(value, Sealed):
        return value.value
    return value


def listing(**named: Any) -> Callable[[F], F]:
    """Return a decorator that lists in a signature what an ``__init__`` takes as ``**kwargs``.

    Of a mapped stage Airflow allows the arguments that a signature lists, and takes defaults there.
    """

    def listed(init: F) -> F:
        known = signature(init)
        *own, rest = known.parameters.values()
        more = [Parameter(name, Parameter.KEYWORD_ONLY, default=named[name]) for name in named]
        vars(init)["__signature__"] = known.replace(parameters=[*own, *more, rest])
        return init

    return listed


def outputs(reads: Any) -> Any:
    """Return ``reads`` with each operator's output in its place; if it has none, the very same.

    An output is a reference that Airflow resolves in ``execute`` and draws the arrow for. What is
    no mapping is left for the check to refuse. Another object would lose Airflow's note that a
    value came by XCom and is no template.
    """
    if isinstance(reads, Mapping) and any(hasattr(value, "output") for value in reads.values()):
        return {name: getattr(value, "output", value) for name, value in reads.items()}
    return reads


class StagePartial:
    """What ``partial`` of a stage returns: Airflow's own, and what a stage adds to it."""

    def __init__(self, make: Callable[..., OperatorPartial], given: Mapping[str, Any]) -> None:
        arguments = _with_outputs(given)
        for name in _MAY_BE_SECRET:
            if name in arguments:
                arguments[name] = Sealed(arguments[name])
        self._partial = make(**arguments)

    def expand(self, **mapped: Any) -> MappedOperator:
        """Make one copy for each value, or for each combination of values.

        :raises SpecError: if a copy cannot work, as far as is known.
        """
        if isinstance(mapped.get("reads"), Sequence):
            mapped["reads"] = [outputs(each) for each in mapped["reads"]]
        return _whole(self._partial.expand(**mapped))

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Make one copy for each mapping of arguments.

        :raises SpecError: if a copy cannot work, as far as is known.
        """
        if isinstance(kwargs, Sequence):
            kwargs = [_with_outputs(each) for each in kwargs]
        elif later(kwargs):
            kwargs = kwargs.map(_fitting)
        return _whole(self._partial.expand_kwargs(kwargs, strict=strict))


def outlets_of(task: Any, writes: str, given: Sequence[Any]) -> list[Any]:
    """Return a stage's outlets: its target's Asset, and of a copy none of the other copies'.

    :param task: the mapped task, or None for a stage that is no copy. A copy's Asset must be known
        before it runs: else it has none, as with a template.
    """
    if task is not None:
        others = targets(task) - {writes}
        return [each for each in given if getattr(each, "name", None) not in others]
    if templated(writes):
        return list(given)
    own = Asset(writes)
    return [*(each for each in given if each != own), own]


def _with_outputs(arguments: Any) -> Any:
    if not isinstance(arguments, Mapping) or "reads" not in arguments:
        return arguments
    return {**arguments, "reads": outputs(arguments["reads"])}


def _whole(task: MappedOperator) -> MappedOperator:
    """Give a mapped task the outlets of its copies, and check each copy.

    :raises SpecError: if one cannot work.
    """
    assets = [Asset(name) for name in sorted(targets(task)) if not templated(name)]
    fresh = [asset for asset in assets if asset not in task.outlets]
    task.outlets = [*task.outlets, *fresh]
    known = copies(task)
    if known is None:
        _check_what_is_known(task)
        return task
    for arguments in known:
        _refuse_secrets(task, arguments)
        _check(task, arguments)
    refuse_rivals(task, known)
    return task


def _check(task: MappedOperator, arguments: Mapping[str, Any]) -> None:
    copy: Any = task.unmap(arguments)
    copy.check()


def _check_what_is_known(task: MappedOperator) -> None:
    """Check what all copies share, with references in the place of what each has of its own.

    :raises SpecError: if no copy can work.
    """
    value = task.expand_input.value
    if isinstance(value, Mapping):
        # Of a list beside a reference, too: which of its values goes with which copy is not known.
        mapped = [name for name in _CHECKED if name in value]
        _check(task, dict.fromkeys(mapped, task.output))
        return
    missing = [name for name in _REQUIRED if name not in task.partial_kwargs]
    # A subclass may give some of them itself; which, only its __init__ knows: not in the way then.
    with suppress(TypeError):
        _check(task, dict.fromkeys(missing, task.output))


def _refuse_secrets(task: MappedOperator, arguments: Mapping[str, Any]) -> None:
    for name in _MAY_BE_SECRET:
        if name in arguments and part({name: arguments[name]}).secrets:
            raise SpecError(
                f"task {task.task_id!r}: a mapped {name} holds a secret, and Airflow stores what a "
                f"task is mapped over; give {name} in partial()"
            )


def _fitting(arguments: Any) -> Any:
    """Return a copy's arguments that came by XCom, if its stage takes them.

    :raises SpecError: if it does not, after a card.
    """
    context = get_current_context()
    task = context["task"]
    if not getattr(task, "is_mapped", False):
        return arguments  # of another copy, looked at by this one
    with refusals_told(this_attempt(context)):
        try:
            task.unmap(arguments)
        except (AirflowException, AttributeError, TypeError, ValueError) as wrong:
            # What Airflow raises for an argument that is unknown, missing or given twice.
            told = " ".join(str(wrong).split())
            raise SpecError(
                f"task {task.task_id!r}: it is mapped over {arguments!r}, which are no arguments "
                f"of this stage: {told}"
            ) from None
    return arguments
