"""Packages that only a benchmark needs, in a folder of their own: never beside the project's."""

import subprocess
import sys
from pathlib import Path

from benchmarks.sessions import ROOT


def fetched(name: str, packages: list[str], *, alone: bool = False) -> Path:
    """Install ``packages`` into ``.tidegate/<name>`` unless they are there; return the folder.

    :param alone: without what they depend on, where that is here already.
    """
    folder = ROOT / ".tidegate" / name
    receipt = folder / "installed.txt"
    wanted = "\n".join(packages)
    if receipt.exists() and receipt.read_text(encoding="utf-8") == wanted:
        return folder
    command = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--target", str(folder), *packages]
    if alone:
        command.append("--no-deps")
    print(f"installing {', '.join(packages)} into {folder.relative_to(ROOT)} …")
    subprocess.run(command, check=True)
    receipt.write_text(wanted, encoding="utf-8")
    return folder
