"""YARN's own client: applications found by a tag, their state, their end, their log.

Every call is a process of its own, by the classes that Spark's jars hold; state can be asked of the
ResourceManager's REST API instead, where the connection names it, and costs no JVM then.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen
from xml.etree import ElementTree

from tidegate.errors import ClusterUnavailable
from tidegate.submit.machine import hadoop_folder
from tidegate.submit.yarn.log import driver_log

ACTIVE = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING")
_ID = re.compile(r"application_\d+_\d+")
_FIELD = re.compile(r"^\t([A-Z][A-Za-z -]*) : ?(.*)$")
"""A line of an application's report; a line that is none goes on with the one before."""
_UNKNOWN = "doesn't exist in RM"
"""What YARN says of an application that never got so far, or that it has forgotten."""
_GONE = "UNKNOWN"
_CLI = "org.apache.hadoop.yarn.client.cli."
_SECONDS = 90
"""How long a call may take before the ResourceManager counts as out of reach."""


def tag_of(digest: str) -> str:
    """Return the tag that an application with this digest bears; YARN takes 100 plain letters."""
    return f"tidegate:{digest}"


@dataclass(frozen=True, kw_only=True)
class Application:
    """What YARN says of an application."""

    id: str
    state: str
    final: str = "UNDEFINED"
    diagnostics: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ACTIVE

    @property
    def exit_code(self) -> int:
        """0 if and only if YARN says that it went through."""
        return int(self.final != "SUCCEEDED")


class Yarn:
    """Asks a ResourceManager.

    :param binary: the spark-submit in use; its ``spark-class`` lies beside it.
    :param environment: what the calls run in; names Hadoop's configuration.
    :param web: the address of the REST API, if Hadoop's configuration does not say it.
    """

    def __init__(self, binary: str, environment: Mapping[str, str], web: str = "") -> None:
        self._environment = {**environment, "SPARK_DRIVER_MEMORY": "256m"}
        found = shutil.which(binary, path=environment["PATH"]) or binary
        self._program = str(Path(found).with_name("spark-class"))
        self.web = web or _web_address(environment)
        """The REST API's address; empty if nobody has said it."""

    def find(self, digest: str) -> str | None:
        """Return the id of the newest application with this digest that has not ended.

        :raises ClusterUnavailable: if YARN does not say.
        """
        tag = tag_of(digest)
        if self.web:
            asked = {"applicationTags": tag, "states": ",".join(ACTIVE)}
            answer = self._get(f"apps?{urlencode(asked)}")
            if answer is not None:
                apps = (answer.get("apps") or {}).get("app") or []
                return _newest(str(app["id"]) for app in apps)
        said = self._application("-list", "-appTags", tag, "-appStates", ",".join(ACTIVE))
        return _newest(_ID.findall(said))

    def application(self, application: str) -> Application:
        """Return what YARN says of an application.

        :raises ClusterUnavailable: if YARN does not say.
        """
        if self.web:
            answer = self._get(f"apps/{application}")
            if answer is not None and "app" in answer:
                return _of_json(answer["app"])
        return _of_text(application, self._application("-status", application))

    def page(self, application: str) -> str:
        """Return where YARN shows an application's own pages; empty if that is not known."""
        if not self.web:
            return ""
        return f"{self.web}/proxy/{application}/"

    def kill(self, application: str, meanwhile: Callable[[], None] | None = None) -> None:
        """End an application, if it has not ended, even if this process is killed meanwhile.

        :param meanwhile: is called once YARN is being asked.
        :raises ClusterUnavailable: if YARN does not answer.
        """
        self._application("-kill", application, meanwhile=meanwhile)

    def log(self, application: str, most: int) -> bytes:
        """Return the end of the driver's log of an application that has ended; empty without one.

        :param most: how many bytes at most.
        """
        return driver_log(self._program, self._environment, application, most)

    def _application(self, *words: str, meanwhile: Callable[[], None] | None = None) -> str:
        with self._begin(*words) as asking:
            try:
                if meanwhile is not None:
                    meanwhile()
                out, why = asking.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired as silent:
                raise ClusterUnavailable(
                    f"YARN's ResourceManager did not answer in {_SECONDS} s "
                    f"(application {words[0]})"
                ) from silent
            finally:
                asking.kill()  # it has ended, or nobody waits for it any more
        said = out.decode("utf-8", errors="replace")
        if asking.returncode and _UNKNOWN not in said:
            raise ClusterUnavailable(
                f"YARN does not say (application {' '.join(words[:2])})", quote=_why(why)
            )
        return said

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self._program, f"{_CLI}ApplicationCLI", "application", *words],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A session of its own: Airflow kills a task with -9 five seconds after it has asked
                # it to end, and a JVM may take longer to have an application ended.
                start_new_session=True,
            )
        except OSError as missing:
            raise ClusterUnavailable(
                f"YARN cannot be asked: {self._program}: {missing.strerror}; it comes with Spark"
            ) from missing

    def _get(self, path: str) -> dict[str, Any] | None:
        """Return an answer of the REST API; None if there is none, and another way is to be taken.

        With Kerberos it wants a handshake that this does not know; YARN's own client does.
        """
        try:
            with urlopen(f"{self.web}/ws/v1/cluster/{path}", timeout=10) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
        except (HTTPException, URLError, OSError, ValueError):
            return None
        return found


def _newest(applications: Iterable[str]) -> str | None:
    """Return the one with the highest number; None of none."""
    return max(applications, key=_number, default=None)


def _number(application: str) -> tuple[int, int]:
    _, cluster, number = application.split("_")
    return int(cluster), int(number)


def _why(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", errors="replace").splitlines()
    told = [line for line in lines if not line.startswith("WARNING: ")]
    return "\n".join(told[-1:])


def _web_address(environment: Mapping[str, str]) -> str:
    """Return where Hadoop's configuration says the REST API is; empty if it does not."""
    site_file = Path(hadoop_folder(environment), "yarn-site.xml")
    try:
        site = ElementTree.parse(site_file).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError):
        return ""  # YARN's own client reads it, and knows more ways
    for setting in site.iter("property"):
        if setting.findtext("name") == "yarn.resourcemanager.webapp.address":
            address = (setting.findtext("value") or "").strip()
            return f"http://{address}"
    return ""


def _of_json(app: Mapping[str, Any]) -> Application:
    return Application(
        id=str(app["id"]),
        state=str(app["state"]),
        final=str(app["finalStatus"]),
        diagnostics=str(app.get("diagnostics") or ""),
    )


def _of_text(application: str, said: str) -> Application:
    """Read the report that YARN's client prints: a field a line, the diagnostics of several."""
    if _UNKNOWN in said:
        return Application(id=application, state=_GONE, diagnostics="YARN does not know it")
    fields: dict[str, str] = {}
    last = ""
    for line in said.splitlines():
        found = _FIELD.match(line)
        if found:
            last = found[1]
            fields[last] = found[2]
        elif last:
            fields[last] += f"\n{line}"
    if "State" not in fields:
        raise ClusterUnavailable(
            f"YARN does not say how {application} is", quote=said.strip()[:300]
        )
    return Application(
        id=application,
        state=fields["State"],
        final=fields.get("Final-State", "UNDEFINED"),
        diagnostics=fields.get("Diagnostics", ""),
    )
