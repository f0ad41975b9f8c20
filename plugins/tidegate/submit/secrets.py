"""Settings that must not stand on a command line, which everybody on the machine can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.contract import is_secret
from tidegate.contract.secrets import carries_secret
from tidegate.errors import SpecError, require

_MEMORY = re.compile(r"(\d+)([kmgt])", re.I)
"""What Java takes for the size of its heap, if no number of bytes."""
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_LEAST_MEMORY = 450 * 2**20
"""What Spark reserves for itself, and half as much again."""
_DRIVERS_JAVA = "spark.driver.extraJavaOptions"
_NAMES_ONE = re.compile(
    r"spark\.kubernetes\.((driver|executor)\.secret(s|KeyRef)\..+|container\.image\.pullSecrets"
    r"|kerberos\.tokenSecret\..+|authenticate\..*File)"
)
"""Conf that names a secret of Kubernetes', or a file: spark-submit's to know, and none itself."""
JAVA = "JDK_JAVA_OPTIONS"
"""Options that every ``java`` of version 9 and later adds to those of its command line."""


@dataclass(frozen=True)
class Settings:
    """An operator's Spark arguments, parted by where they may go.

    :param shown: for the provider's hook, which makes a command line of them.
    :param conf: secret conf; travels in the spec file and is set as the session starts.
    :param variables: the author's environment variables, which the driver's process gets.
    """

    shown: Mapping[str, Any]
    conf: Mapping[str, str]
    variables: Mapping[str, str]

    @property
    def secrets(self) -> list[str]:
        """The values that no log may show."""
        return [*self.conf.values(), *self.secret_variables.values()]

    @property
    def secret_variables(self) -> dict[str, str]:
        """The variables that no command line may show."""
        return _secret(self.variables)


def part(spark: Mapping[str, Any]) -> Settings:
    """Part an operator's Spark arguments by what may be seen of them.

    :raises SpecError: if ``conf`` or ``env_vars`` is no mapping of names to plain values.
    """
    conf = _texts("conf", spark.get("conf"))
    variables = _texts("env_vars", spark.get("env_vars"))
    secret = _secret(conf)
    shown = {key: value for key, value in conf.items() if key not in secret}
    if _DRIVERS_JAVA in secret:
        # The session is too late for the options of the JVM that it starts in.
        options = secret.pop(_DRIVERS_JAVA)
        variables[JAVA] = f"{variables.get(JAVA, '')} {options}".strip()
    rest = {**spark, "conf": shown}
    rest.pop("env_vars", None)
    return Settings(rest, secret, variables)


def _secret(settings: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for key, value in settings.items():
        named = _NAMES_ONE.fullmatch(key) and not carries_secret(value)
        if is_secret(key, value) and not named:
            found[key] = value
    return found


def shown_variables(settings: Settings, master: str) -> dict[str, str]:
    """Return the conf by which YARN's application master gets the author's variables.

    Only those that are not secret, as conf stands on the command line. The driver itself runs
    beside the task and has them all; executors get theirs by ``spark.executorEnv.*``.
    """
    if not master.startswith("yarn"):
        return {}
    shown = settings.variables.keys() - settings.secret_variables.keys() - {JAVA}
    return {f"spark.yarn.appMasterEnv.{key}": settings.variables[key] for key in sorted(shown)}


def check_settings(spark: Mapping[str, Any]) -> None:
    """Refuse, while the DAG file is read, settings of a shape that Spark cannot take.

    :raises SpecError: naming the argument.
    """
    part(spark)
    for name in ("driver_memory", "executor_memory"):
        _check_memory(name, spark.get(name))


def _check_memory(name: str, given: Any) -> None:
    if given is None or "{" in str(given):
        return  # a template is known later
    told = f"{name}={given!r}; give a whole number with k, m, g or t behind it, such as '2g'"
    found = _MEMORY.fullmatch(str(given))
    if found is None:
        raise SpecError(told)
    size = int(found[1]) * _UNITS[found[2].lower()]
    require(
        size >= _LEAST_MEMORY,
        f"{name}={given!r}; Spark does not start with less than 450m: give '1g' or more",
    )


def _texts(name: str, given: Any) -> dict[str, str]:
    """Return a mapping with its values as Spark spells them; empty for None."""
    if given is None:
        return {}
    require(isinstance(given, Mapping), f"{name}={given!r}; give a mapping of names to values")
    texts = {}
    for key, value in given.items():
        is_plain = isinstance(key, str) and isinstance(value, str | int | float | bool)
        told = f"{name}[{key!r}] is {type(value).__name__}; give text or a number"
        require(is_plain, told)
        texts[key] = _text(value)
    return texts


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # Spark knows no True
    return str(value)
