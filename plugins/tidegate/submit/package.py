"""The driver as one zip, which travels to Spark."""

import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from zipfile import ZipFile, ZipInfo

_LAUNCHER = """import sys

# A script's own folder is where Python looks first; a file laid there would be run as `json`.
del sys.path[0]

from runpy import run_module

module = "tidegate.driver"
if sys.argv[1] == "--warm":
    module = "tidegate.driver.warm"
run_module(module, run_name="__main__")
"""
_GROUND = ("__init__.py", "errors.py", "failures.py", "frames.py", "rules.py", "store.py")
"""What the driver imports of the package besides its own wing and the contract."""


def pack_driver(folder: Path) -> tuple[Path, Path]:
    """Return the driver's zip for ``--py-files`` and the file that starts it.

    They lie below ``folder``, named by the hash of their content. What lies there already is
    compared byte by byte, and mended if it differs.
    """
    data = _packed()
    packed = folder / sha256(data + _LAUNCHER.encode()).hexdigest()[:32]
    packed.mkdir(mode=0o700, parents=True, exist_ok=True)
    package = packed / "tidegate.zip"
    launcher = packed / "tidegate_driver.py"
    # The launcher last: where it is, the whole zip is.
    _put(package, data)
    _put(launcher, _LAUNCHER.encode())
    return package, launcher


def _packed() -> bytes:
    """Return the zip; the same files give the same bytes."""
    root = Path(__file__).parents[1]
    files = [root / name for name in _GROUND]
    files += sorted(root.glob("contract/*.py"))
    files += sorted(root.rglob("driver/**/*.py"))
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        for file in files:
            archive.writestr(ZipInfo(str(file.relative_to(root.parent))), file.read_bytes())
    return out.getvalue()


def _put(file: Path, data: bytes) -> None:
    """Have a file hold these bytes: whole or not at all, and no link to anywhere else."""
    if not file.is_symlink() and file.is_file() and file.read_bytes() == data:
        return
    aside = file.with_name(f".{file.name}.{token_hex(4)}")
    out = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(out, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)  # a full disk leaves half of it
