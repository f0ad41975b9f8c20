"""The example as a project in a folder of its own, with its landed tables and Spark's conf."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from demo.server import PROJECT

HERE = Path(__file__).resolve().parent
FOLDERS = ("dags", "spark_jobs", "expectations")
TABLES = ("orders", "lineitem", "customer", "nation")
QUICK = """
# Six orders a day: more than this costs more than it brings.
spark.sql.shuffle.partitions    2
spark.ui.enabled                false
spark.driver.memory             1g
"""


def prepare(root: Path, scale: str = "0.01") -> None:
    """Lay the project out in ``root``, whose lake is empty then, and land TPC-H in it."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        shutil.copytree(HERE / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "conf").mkdir()
    defaults = (PROJECT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")
    (root / "conf" / "spark-defaults.conf").write_text(defaults + QUICK, encoding="utf-8")
    command = ["tpchgen-cli", "parquet", "--scale-factor", scale]
    where = ["--output-dir", str(root / "landing"), "--tables", ",".join(TABLES)]
    subprocess.run([*command, *where], check=True)


def settings(root: Path) -> Mapping[str, str]:
    """Return what Airflow's processes need in their environment to work in ``root``."""
    return {
        "SPARK_CONF_DIR": str(root / "conf"),
        # The second DAG is due when the first has published: that is the scheduler's to see.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    }
