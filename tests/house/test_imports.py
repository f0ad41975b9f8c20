"""What importing costs: a DAG file loads no engine, and the driver loads no Airflow."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pyspark", "great_expectations", "pandas", "mlflow", "tidegate.driver")
PROVIDER = tuple(
    f"airflow.providers.apache.spark.{part}" for part in ("hooks", "operators", "decorators")
)


def python(code: str, *path: Path, cwd: Path | None = None) -> str:
    """Run code in a fresh interpreter whose path begins with ``path``."""
    before = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", before + code], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("dag", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.name)
def test_importing_a_dag_loads_no_engine(dag: Path) -> None:
    code = f"""
import runpy
runpy.run_path({str(dag)!r})
def loaded(name):
    return any(module == name or module.startswith(name + ".") for module in sys.modules)

print([name for name in {HEAVY + PROVIDER!r} if loaded(name)])
"""
    assert python(code, ROOT / "plugins").splitlines()[-1] == "[]"


def test_importing_the_package_loads_no_airflow_and_asking_for_an_operator_does() -> None:
    code = """
import sys, tidegate
print("airflow" in sys.modules)
from tidegate import BatchStageOperator, GateOperator, GraphStageOperator
from tidegate import SqlStageOperator, TrainStageOperator
print(BatchStageOperator.__module__, tidegate.__all__)
try:
    tidegate.StreamOperater
except AttributeError as missing:
    print(missing)
"""
    before, after, missing = python(code, ROOT / "plugins").splitlines()[-3:]
    assert before == "False"
    assert after.startswith("tidegate.operators.")
    assert missing == "module 'tidegate' has no attribute 'StreamOperater'"


def test_a_driver_starts_spark_before_it_imports_what_judging_and_models_need() -> None:
    # Seconds, which pass in a thread while the JVM is busy: see driver/session.py.
    code = """
import tidegate.driver.warm
print([name for name in ("great_expectations", "pandas", "mlflow") if name in sys.modules])
"""
    assert python(code, ROOT / "plugins").splitlines()[-1] == "[]"


def test_the_driver_imports_with_no_airflow_installed(tmp_path: Path) -> None:
    from tidegate.submit.package import pack_driver

    package, launcher = pack_driver(tmp_path)
    code = """
import importlib.abc

class NoAirflow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ImportError("no airflow here")

sys.meta_path.insert(0, NoAirflow())
import tidegate, tidegate.driver.attempt, tidegate.driver.__main__
print(tidegate.__file__)
"""
    assert str(package) in python(code, package, cwd=tmp_path)
    assert launcher.exists()
    assert not [
        name for name in ZipFile(package).namelist() if "operators" in name or "submit" in name
    ]


def test_the_zip_is_packed_once(tmp_path: Path) -> None:
    from tidegate.submit.package import pack_driver

    first = pack_driver(tmp_path)[0].stat().st_mtime_ns
    assert pack_driver(tmp_path)[0].stat().st_mtime_ns == first


def test_the_wheel_holds_the_package_and_its_entry_points(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(
            next(n for n in names if n.endswith("entry_points.txt"))
        ).decode()
    modules = {
        str(p.relative_to(ROOT / "plugins")) for p in (ROOT / "plugins" / "tidegate").rglob("*.py")
    }
    assert modules == {n for n in names if n.endswith(".py")}
    assert "tidegate/py.typed" in names
    assert "tidegate.plugin:TidegatePlugin" in entry_points
    assert "tidegate.provider:provider_info" in entry_points
