"""Which modules of the project's own a job imports, and what is in them."""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from tidegate.contract import digest
from tidegate.driver.kinds.job import PREFIX

_PACKAGED = {"site-packages", "dist-packages"}
_ELSEWHERE = {"__main__", "tidegate", "pyspark", "py4j", *sys.stdlib_module_names}
"""Where these lie differs from cluster to cluster; none of them is the project's."""


def local_modules(job: Path) -> dict[str, str]:
    """Return the SHA-256 of every module of the project's own that ``job`` imports, by name.

    The job has been loaded: what it imported, and what that imported, is known to Python. What its
    functions will import once they run is read from their text. A module is named by its name, not
    by its path: Spark unpacks ``py_files`` to another folder each time.
    """
    hashes: dict[str, str] = {}
    named = {*sys.modules, *_named_in(job.read_bytes(), "")}
    while named:
        name = named.pop()
        located = _located(name)
        if located is not None:
            text = _bytes(located)
            hashes[name] = digest(text)
            named |= {*_named_in(text, located.parent or "")} - hashes.keys()
    return hashes


def _located(name: str) -> Any:
    """Find a module of the project's own, without importing it or the packages it lies in."""
    top = name.partition(".")[0]
    if top in _ELSEWHERE or top.startswith(PREFIX):
        return None
    located: Any = getattr(sys.modules.get(name), "__spec__", None) or _found(name)
    if not getattr(located, "has_location", False):  # built in, or a folder without a file
        return None
    if _PACKAGED.isdisjoint(Path(located.origin).parts):
        return located
    return None


def _found(name: str) -> ModuleSpec | None:
    outer, _, inner = name.rpartition(".")
    if not outer:
        return PathFinder.find_spec(name)
    places = list(getattr(_found(outer), "submodule_search_locations", None) or ())
    try:
        return PathFinder.find_spec(name, places)
    except KeyError:
        # A folder without a file, in a package that is not imported: Python asks the package.
        folder = ModuleSpec(name, None, is_package=True)
        folder.submodule_search_locations = [f"{place}/{inner}" for place in places]
        return folder


def _bytes(located: Any) -> bytes:
    try:
        return bytes(located.loader.get_data(located.origin))
    except (AttributeError, OSError):
        # Gone since it was imported: it has changed. Or of a loader that keeps no text.
        return b""


def _named_in(text: bytes, package: str) -> Iterator[str]:
    """Yield the modules that import statements name, wherever in the text they stand."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # no Python: an extension module
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _named_from(node, package)


def _named_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    try:
        module = resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:  # leads out of its package: the import itself fails, if it is ever reached
        return
    yield module
    # What is imported from a package may be a module of it; what is not is not found.
    yield from (f"{module}.{each.name}" for each in node.names)
