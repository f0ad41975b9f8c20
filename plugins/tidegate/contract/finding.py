"""A finding: what is wrong with a project, or not known yet, before anything runs."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tidegate.contract.text import plain

_LONGEST = 600


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    :param where: a file, or ``<dag> / <task>``.
    :param told: what, and what to do.
    :param wrong: whether it must be put right; else it is only not known yet.
    """

    where: str
    told: str
    wrong: bool = True

    @property
    def line(self) -> str:
        """The finding in one line."""
        mark = "error" if self.wrong else "note"
        told = " ".join(plain(self.told).split())
        return f"{mark:5}  {self.where}: {told[:_LONGEST]}"


def findings_as_json(findings: Iterable[Finding]) -> str:
    """Return findings as a JSON document."""
    return json.dumps([asdict(each) for each in findings])


def findings_of_json(text: str) -> list[Finding]:
    """Read what :func:`findings_as_json` wrote."""
    return [Finding(**each) for each in json.loads(text)]
