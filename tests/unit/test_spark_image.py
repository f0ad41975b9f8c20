"""The image of drivers and executors holds what they need, of the versions that are tested here.

No engine of containers is asked: what it must contain is read in its Dockerfile. Its entrypoint
runs in tests/system/test_kubernetes.py.
"""

import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker" / "spark.Dockerfile"
ENTRYPOINT = ROOT / "docker" / "spark-entrypoint"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_THE_AIRFLOW_WING = {"apache-airflow", "apache-airflow-providers-apache-spark", "pyspark-client"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, a line each."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.M)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def all_of(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[;]", each)[0].lower() for each in requirements}


def installed() -> list[str]:
    (command,) = [each for each in all_of("RUN") if each.startswith("pip install")]
    return command.split()


def test_its_python_is_the_workers() -> None:
    (base,) = all_of("FROM")
    minor = PROJECT["requires-python"].removeprefix(">=")
    assert re.fullmatch(rf"python:{re.escape(minor)}-slim-\w+", base)
    assert f"/python{minor}/site-packages/pyspark" in " ".join(all_of("ENV"))


def test_every_package_is_of_the_version_of_constraints_txt() -> None:
    words = installed()
    assert words[words.index("--constraint") + 1] == "/tmp/constraints.txt"
    assert "constraints.txt /tmp/constraints.txt" in all_of("COPY")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for name in packages():
        assert f"\n{name}==" in pinned, name


def packages() -> set[str]:
    words = installed()
    return set(words[words.index("/tmp/constraints.txt") + 1 :])


def test_it_has_whatever_the_driver_imports_and_no_airflow() -> None:
    needed = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["train"])
    assert packages() == needed - OF_THE_AIRFLOW_WING


def test_spark_has_its_java() -> None:
    assert any("openjdk-17-jre-headless" in each for each in all_of("RUN"))


def test_it_runs_as_somebody_who_is_not_root_by_number() -> None:
    assert all_of("USER")[-1].isdecimal()
    assert all_of("USER")[-1] != "0"
    order = [word for word, _ in instructions()]
    assert order.index("USER") < order.index("ENTRYPOINT")


def test_it_starts_as_sparks_client_wants_it() -> None:
    (entrypoint,) = all_of("ENTRYPOINT")
    assert entrypoint.endswith('"/usr/local/bin/spark-entrypoint"]')
    assert "docker/spark-entrypoint /usr/local/bin/spark-entrypoint" in " ".join(all_of("COPY"))
    assert os.access(ENTRYPOINT, os.X_OK)
