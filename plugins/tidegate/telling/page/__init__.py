"""The gate report as one HTML page: it runs no script, loads nothing, and escapes every value."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tidegate.contract import Attempt, Report, plain
from tidegate.store import REPORT, Store
from tidegate.telling.page.content import content

_HERE = Path(__file__).parent
_AROUND = 10


def page(report: Report, earlier: Mapping[int, str]) -> str:
    """Return the page of one attempt.

    :param earlier: addresses of the pages of other tries of the same task, relative to this one.
    """
    return _templates().get_template("report.html").render(content(report), earlier=earlier)


def page_of_nothing(title: str, told: str) -> str:
    """Return a page that says why there is no report to be shown."""
    return _templates().get_template("nothing.html").render(title=title, told=told)


def tries_around(store: Store, attempt: Attempt) -> list[int]:
    """Return the numbers of the tries that left a report, of the ten before and after this one."""
    number = attempt.try_number
    near = range(max(1, number - _AROUND), number + _AROUND + 1)
    others = [replace(attempt, try_number=each) for each in near if each != number]
    return [each.try_number for each in others if store.files(each).exists(REPORT)]


@cache
def policy() -> str:
    """Return the Content-Security-Policy that the page needs: its own style, and nothing else."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    hashed = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["policy"] = policy()
    return environment


def _shown(value: object) -> object:
    """Return a value as the page holds it; every ``{{ … }}`` of the templates passes here."""
    if isinstance(value, Markup):  # what a macro of the template made, of values that came by here
        return value
    return plain(str(value))
