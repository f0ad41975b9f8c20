"""No pin is of a version with a vulnerability that is known and listed here."""

from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
MENDED = {
    "jinja2": "3.1.6",  # CVE-2025-27516: out of the sandbox
    "pip": "26.0",  # CVE-2023-5752, CVE-2025-8869, CVE-2026-1703: options and paths out of archives
    "requests": "2.32.4",  # CVE-2024-47081: credentials to another host
    "setuptools": "78.1.1",  # CVE-2022-40897, CVE-2024-6345, CVE-2025-47273: code and paths
    "urllib3": "2.6.0",  # CVE-2025-50181, CVE-2025-66418: redirects, decompression
    "h11": "0.16.0",  # CVE-2025-43859: request smuggling
}
"""The first version without them. This list is kept by hand: no database is asked here."""


def pins() -> dict[str, Version]:
    found = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, exact, version = line.partition("==")
        if exact:
            found[name] = Version(version)
    return found


def test_no_pin_is_known_to_be_vulnerable() -> None:
    pinned = pins()
    assert set(MENDED) <= set(pinned)
    late = {name: first for name, first in MENDED.items() if pinned[name] < Version(first)}
    assert late == {}


def test_what_installs_the_packages_is_pinned_too() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (line,) = [each for each in makefile.splitlines() if "uv pip install" in each]
    assert "--constraint constraints.txt" in line
    assert line.endswith(" pip setuptools")
