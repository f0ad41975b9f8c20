"""Which modules of the project's own a job imports, and what is in them."""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path

from tidegate.contract import digest
from tidegate.driver.kinds.job import PREFIX

_PACKAGED = {"site-packages", "dist-packages"}
_ENGINES = {"__main__", "tidegate", "pyspark", "py4j"}
"""Where these lie differs from cluster to cluster; none of them is the project's."""
_STDLIB = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


def local_modules(job: Path) -> dict[str, str]:
    """Return the SHA-256 of every module of the project's own that ``job`` imports, by name.

    The job has been loaded: what it imported, and what that imported, is known to Python. What its
    functions will import once they run is read from their text. A module is named by its name, not
    by its path: Spark unpacks ``py_files`` to another folder each time.
    """
    hashes: dict[str, str] = {}
    waiting = _imported()
    named = set(_named_in(job.read_bytes(), ""))
    while waiting or named:
        for name in named - hashes.keys() - waiting.keys():
            located = _located(name)
            if located is not None:
                waiting[name] = located
        named = set()
        if waiting:
            name, located = waiting.popitem()
            text = _bytes(located)
            hashes[name] = digest(text)
            named = set(_named_in(text, located.parent or ""))
    return hashes


def _imported() -> dict[str, ModuleSpec]:
    found = {}
    for name, module in list(sys.modules.items()):
        located = getattr(module, "__spec__", None)
        if isinstance(located, ModuleSpec) and _is_local(name, located):
            found[name] = located
    return found


def _is_local(name: str, located: ModuleSpec) -> bool:
    if _is_foreign(name) or not located.has_location or not located.origin:
        return False
    if located.origin.startswith(_STDLIB):
        return False
    return _PACKAGED.isdisjoint(Path(located.origin).parts)


def _is_foreign(name: str) -> bool:
    top = name.partition(".")[0]
    return top in _ENGINES or top in sys.stdlib_module_names or top.startswith(PREFIX)


def _bytes(located: ModuleSpec) -> bytes:
    read = getattr(located.loader, "get_data", None)
    if read is None:
        return b""
    try:
        return bytes(read(located.origin))
    except OSError:  # gone since it was imported: it has changed, and has no text any more
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


def _located(name: str) -> ModuleSpec | None:
    """Find a module of the project's own, without importing it or the packages it lies in."""
    if _is_foreign(name):
        return None
    path: list[str] | None = None
    located: ModuleSpec | None = None
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        outer = ".".join(parts[:length])
        located = PathFinder.find_spec(outer, path)
        if located is None or (located.has_location and not _is_local(outer, located)):
            return None
        path = list(located.submodule_search_locations or ())
    return located
