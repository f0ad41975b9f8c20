"""The driver as one zip, which travels to Spark."""

import os
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile, ZipInfo

_LAUNCHER = "from runpy import run_module\n\nrun_module('tidegate.driver', run_name='__main__')\n"
_GROUND = ("__init__.py", "errors.py", "failures.py", "store.py")
"""What the driver imports of the package besides its own wing and the contract."""


def pack_driver(folder: Path) -> tuple[Path, Path]:
    """Return the driver's zip for ``--py-files`` and the file that starts it.

    They lie below ``folder``, named by the hash of their content, and are packed once.
    """
    root = Path(__file__).parents[1]
    files = [root / name for name in _GROUND]
    files += sorted(root.glob("contract/*.py"))
    files += sorted(root.rglob("driver/**/*.py"))
    content = {str(file.relative_to(root.parent)): file.read_bytes() for file in files}
    packed = folder / sha256(repr(sorted(content.items())).encode()).hexdigest()[:16]
    package = packed / "tidegate.zip"
    launcher = packed / "tidegate_driver.py"
    if not launcher.exists():
        packed.mkdir(parents=True, exist_ok=True)
        aside = packed / f".{os.getpid()}.zip"
        with ZipFile(aside, "w") as archive:
            for name, data in content.items():
                archive.writestr(ZipInfo(name), data)
        # The launcher last: where it is, the whole zip is.
        aside.replace(package)
        launcher.write_text(_LAUNCHER, encoding="utf-8")
    return package, launcher
