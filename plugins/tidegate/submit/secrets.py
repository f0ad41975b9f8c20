"""Settings that must not stand on a command line, which everybody on the machine can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.contract import is_secret
from tidegate.errors import SpecError

_DRIVERS_JAVA = "spark.driver.extraJavaOptions"
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
        named = [value for key, value in self.variables.items() if is_secret(key, value)]
        return [*self.conf.values(), *named]


def part(spark: Mapping[str, Any]) -> Settings:
    """Part an operator's Spark arguments by what may be seen of them.

    :raises SpecError: if ``conf`` or ``env_vars`` is no mapping of names to plain values.
    """
    conf = _texts("conf", spark.get("conf"))
    variables = _texts("env_vars", spark.get("env_vars"))
    secret = {key: value for key, value in conf.items() if is_secret(key, value)}
    shown = {key: value for key, value in conf.items() if key not in secret}
    if _DRIVERS_JAVA in secret:
        # The session is too late for the options of the JVM that it starts in.
        options = secret.pop(_DRIVERS_JAVA)
        variables[JAVA] = f"{variables.get(JAVA, '')} {options}".strip()
    rest = {key: value for key, value in spark.items() if key not in ("conf", "env_vars")}
    return Settings({**rest, "conf": shown}, secret, variables)


def shown_variables(settings: Settings, master: str) -> dict[str, str]:
    """Return the conf by which YARN's application master gets the author's variables.

    Only those that are not secret, as conf stands on the command line. The driver itself runs
    beside the task and has them all; executors get theirs by ``spark.executorEnv.*``.
    """
    if not master.startswith("yarn"):
        return {}
    hidden = {key for key, value in settings.variables.items() if is_secret(key, value)} | {JAVA}
    shown = settings.variables.keys() - hidden
    return {f"spark.yarn.appMasterEnv.{key}": settings.variables[key] for key in sorted(shown)}


def check_settings(spark: Mapping[str, Any]) -> None:
    """Refuse, while the DAG file is read, settings of a shape that Spark cannot take.

    :raises SpecError: naming the argument.
    """
    part(spark)


def _texts(name: str, given: object) -> dict[str, str]:
    """Return a mapping with its values as Spark spells them; empty for None."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpecError(f"{name}={given!r}; give a mapping of names to values")
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str | int | float | bool):
            raise SpecError(f"{name}[{key!r}] is {type(value).__name__}; give text or a number")
    return {key: _text(value) for key, value in given.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # Spark knows no True
    return str(value)
