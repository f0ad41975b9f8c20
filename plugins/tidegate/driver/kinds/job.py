"""Loading a job file and calling its ``run`` by parameter name."""

import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, signature
from pathlib import Path

from pyspark.cloudpickle import register_pickle_by_value

from tidegate.errors import SpecError

Run = Callable[..., object]
PREFIX = "tidegate_job_"
"""Begins the name of every job's module."""


def load_run(path: str) -> Run:
    """Import the job file at ``path`` and return its ``run`` function.

    :raises SpecError: if the file is missing, does not compile, or defines no ``run``.
    """
    file = Path(path)
    located = spec_from_file_location(f"{PREFIX}{file.stem}", file)
    if located is None or located.loader is None or not file.is_file():
        raise SpecError(f"job {path}: no such Python file")
    module = module_from_spec(located)
    sys.modules[located.name] = module
    # Executors cannot import the job's module: its functions must travel inside the UDFs that use
    # them. (PySpark ships cloudpickle untyped.)
    register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    try:
        located.loader.exec_module(module)
    except (SyntaxError, ImportError) as broken:
        # The file is wrong, not what it does: fixed in the file, never by a retry.
        raise SpecError(
            f"job {path} cannot be imported: {type(broken).__name__}", quote=str(broken)
        ) from broken
    run: object = getattr(module, "run", None)
    if not callable(run):
        raise SpecError(
            f"job {path} defines no function 'run'; a job is one function run(<inputs by name>)"
        )
    return run


def call_by_name(run: Run, offered: Mapping[str, object]) -> object:
    """Call ``run`` with the offered inputs that its parameters name.

    :raises SpecError: if ``run`` asks for an input that nobody offers.
    """
    return run(**arguments(run, offered))


def arguments(run: Run, offered: Mapping[str, object]) -> dict[str, object]:
    """Return what of the offered ``run`` asks for, by the names of its parameters.

    :raises SpecError: if ``run`` asks for an input that nobody offers.
    """
    asked = _named_parameters(run)
    given: dict[str, object] = {}
    missing: list[str] = []
    for name, parameter in asked.items():
        if name in offered:
            given[name] = offered[name]
        elif parameter.default is Parameter.empty:
            missing.append(name)
    if missing:
        wanted = ", ".join(asked)
        job = str(getattr(run, "__module__", "")).removeprefix(PREFIX)
        raise SpecError(
            f"job {job}.py: run({wanted}) asks for {missing}; this stage offers {sorted(offered)}: "
            "rename the parameter, or add it to reads"
        )
    return given


def _named_parameters(run: Run) -> dict[str, Parameter]:
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    parameters = signature(run).parameters
    return {name: each for name, each in parameters.items() if each.kind in named}
