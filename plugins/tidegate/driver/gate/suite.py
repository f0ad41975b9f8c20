"""A suite's document becomes Great Expectations configurations.

Checked, and with every parameter filled in, once.
"""

from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

from tidegate.contract import Suite
from tidegate.driver.gate.document import Entry
from tidegate.driver.gate.gx import (
    ExpectationConfiguration,
    GreatExpectationsError,
    SuiteParameterError,
    fill,
    known_types,
    wanted_parameters,
)
from tidegate.errors import SpecError


def configurations(
    suite: Suite, parameters: Mapping[str, object]
) -> tuple[ExpectationConfiguration, ...]:
    """Return the suite's expectations in their order, each carrying its position as its id.

    Parameters are evaluated here and nowhere else, so that one that reads the clock has one value
    all through.

    :raises SpecError: if an expectation's type, arguments or parameters are not what Great
        Expectations takes.
    """
    made = []
    for position, entry in enumerate(suite.document["expectations"]):
        where = f"suite {suite.name!r}, expectation {position + 1}"
        made.append(_configuration(where, str(position), entry, parameters))
    return tuple(made)


def _configuration(
    where: str, identity: str, entry: Entry, parameters: Mapping[str, object]
) -> ExpectationConfiguration:
    kind = entry["type"]
    _check_type(where, kind)
    written = ExpectationConfiguration(
        type=kind,
        kwargs=deepcopy(dict(entry.get("kwargs", {}))),
        meta=deepcopy(dict(entry.get("meta") or {})),
        notes=entry.get("notes"),
        description=entry.get("description"),
        severity=entry.get("severity", "critical"),
        id=identity,
    )
    try:
        configuration = written.to_domain_obj().configuration
        _fill(f"{where} ({kind})", configuration, parameters)
        configuration.to_domain_obj()
    except (GreatExpectationsError, TypeError, ValueError) as error:  # by pydantic: ValueError
        told = f"{where}: {kind} does not take these kwargs"
        raise SpecError(told, quote=_brief(error)) from error
    return configuration


def _check_type(where: str, kind: str) -> None:
    known = list(known_types())
    if kind in known:
        return
    nearest = get_close_matches(kind, known, n=3, cutoff=0.4)
    told = f"{where}: unknown expectation type {kind!r}"
    if nearest:
        told += f"; nearest: {', '.join(nearest)}"
    raise SpecError(told)


def _fill(where: str, configuration: Any, parameters: Mapping[str, object]) -> None:
    wanted = wanted_parameters(configuration)
    try:
        fill(configuration, parameters)
    except SuiteParameterError as error:  # says neither which argument wants it, nor what there is
        raise SpecError(
            f"{where}: cannot fill {wanted}; offered are {sorted(parameters)}",
            quote=_brief(error),
        ) from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
