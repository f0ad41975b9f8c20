"""Which modules of the project's own a job imports, however its packages are laid out."""

from pathlib import Path

import pytest

from tidegate.driver.kinds.modules import local_modules


def test_a_module_in_folders_without_files_is_found_before_anything_imports_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    inner = tmp_path / "outer_pkg" / "inner_pkg"
    inner.mkdir(parents=True)
    (tmp_path / "outer_pkg" / "__init__.py").write_text("")
    (inner / "rules.py").write_text("N = 1\n")
    job = tmp_path / "job.py"
    job.write_text("def run(spark):\n    from outer_pkg.inner_pkg import rules\n")
    before = local_modules(job)
    assert "outer_pkg.inner_pkg.rules" in before
    (inner / "rules.py").write_text("N = 2\n")
    changed = local_modules(job)
    assert changed["outer_pkg.inner_pkg.rules"] != before["outer_pkg.inner_pkg.rules"]
