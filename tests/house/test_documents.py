"""The documents say what is there: code, suites, commands, links, and the tree."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from tests.documents import (
    BLOCKS,
    DOCUMENTS,
    ROOT,
    Block,
    anchors,
    in_language,
    links,
    placed,
    suite_of,
)

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
# A deleted file is tracked until its deletion is committed.
FILES = {path for path in TRACKED if (ROOT / path).exists()}
FOLDERS = {str(parent) for path in FILES for parent in Path(path).parents}
PACKAGE = ROOT / "plugins" / "tidegate"


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("block", placed(in_language("python")))
def test_python_compiles(block: Block) -> None:
    assert block.compiled()


@pytest.mark.parametrize("block", placed(in_language("json")))
def test_a_suite_passes_the_check_of_its_document(block: Block) -> None:
    from tidegate.contract import Suite
    from tidegate.driver.gate.document import check

    check(Suite(name=block.place, document=suite_of(block)))


@pytest.mark.parametrize("block", placed(in_language("ini")))
def test_a_setting_is_one_of_ours(block: Block) -> None:
    from tidegate.provider import provider_info

    given = ConfigParser()
    given.read_string(block.text)
    known = provider_info()["config"]["tidegate"]["options"]
    assert given.sections() == ["tidegate"]
    assert set(given["tidegate"]) <= set(known)


def test_the_readme_shows_the_job_as_it_is() -> None:
    (shown,) = [block for block in in_language("sql") if block.file.name == "README.md"]
    job = (ROOT / "spark_jobs" / "daily_delays.sql").read_text(encoding="utf-8")
    assert job.endswith(f"\n\n{shown.text}")


def test_the_readme_shows_the_catalog_as_it_is() -> None:
    (shown,) = [block for block in BLOCKS if block.text.startswith("spark.sql.extensions")]
    conf = (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
    assert [line for line in shown.text.splitlines() if line not in conf.splitlines()] == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_every_make_target_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # In prose "make" is a word: a command stands in backticks or begins a line of a block.
    named = re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", text)
    for block in BLOCKS:
        if block.file == file and not block.language:
            named += re.findall(r"^(?:.*' )?make ([a-z-]+)", block.text, re.M)
    assert set(named) <= TARGETS


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_every_module_that_is_run_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"python -m ((?:benchmarks|demo)(?:\.\w+)+)", text)
    assert [name for name in named if f"{name.replace('.', '/')}.py" not in FILES] == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(file: Path) -> None:
    lost = []
    for link in links(file):
        path, _, anchor = link.partition("#")
        target = file
        if path:
            target = (file.parent / path).resolve()
        if not target.exists():
            lost.append(link)
        elif anchor and anchor not in anchors(target):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_of_the_house_that_is_named_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"`([\w.]+/[\w./]*\w\.(?:py|md|json|yml)|[\w.]+/(?:\w+/)*)`", text)
    assert paths
    below = (ROOT, PACKAGE, PACKAGE / "driver")
    assert [path for path in paths if not any((top / path).exists() for top in below)] == []


def drawn() -> set[str]:
    """Return every path that the tree of ARCHITECTURE.md draws, folders without their slash."""
    architecture = ROOT / "ARCHITECTURE.md"
    tree = next(block for block in BLOCKS if block.file == architecture)
    above: list[str] = []
    paths = set()
    for line in tree.text.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name.rstrip("/")]
        paths.add("/".join(above))
    return paths


def test_every_name_in_the_tree_is_there() -> None:
    assert drawn() - FILES - FOLDERS == set()


def test_every_file_of_the_package_is_in_the_tree() -> None:
    package = {path for path in FILES if path.startswith("plugins/")}
    assert package - drawn() == set()


def test_every_folder_of_the_project_is_in_the_tree() -> None:
    top = {path.partition("/")[0] for path in FILES if "/" in path}
    assert top - drawn() == set()
