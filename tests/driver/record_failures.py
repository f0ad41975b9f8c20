"""Records provoked failures as ``tests/recorded/failures.json``.

Run ``python tests/driver/record_failures.py`` again after an upgrade of Spark, with ``plugins`` on
the path; what changed is then in the diff.
"""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyspark
from local_spark import local_session
from provocations import ERRORS, provoke
from pyspark.sql import SparkSession

from tidegate.driver.diagnose import chain_of, decisive_of
from tidegate.rules import Fact

CORPUS = Path(__file__).parents[1] / "recorded" / "failures.json"
LONGEST = 240
VARYING = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
    (r"\b([Tt]ask|[Ss]tage|TID|Job) \d+(\.\d+)?", r"\1 0"),
    (r"\(\S+ executor driver\)", "(<host> executor driver)"),
    (r"Call From \S+ to", "Call From <host> to"),
    (r"#\d+L?", "#0"),
    (r"part-\d+", "part-0"),
    (r"\$\$Lambda\$\d+/0x[0-9a-f]+", "$$Lambda"),
    (r"\d+\.\d KiB", "<size>"),
    (r"@[0-9a-f]{5,}", "@0"),
    (r"attempt_\d+", "attempt_0"),
    (r"cwd=[^)]+", "cwd=<cwd>"),
    (r'File "[^"]*/', 'File "'),
)
"""What differs from run to run and from machine to machine."""


def record(name: str, spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Provoke a failure and return what the driver knows of it."""
    chain = chain_of(provoke(name, spark, folder), spark)
    decisive = chain.index(decisive_of(chain))
    facts = [asdict(_shortened(fact, folder)) for fact in chain]
    return {"provoked": name, "error": ERRORS[name], "decisive": decisive, "chain": facts}


def recorded() -> list[dict[str, Any]]:
    """Return what was recorded."""
    corpus: dict[str, Any] = json.loads(CORPUS.read_text(encoding="utf-8"))
    return list(corpus["failures"])


def _shortened(fact: Fact, folder: Path) -> Fact:
    text = fact.text.replace(str(folder), "<folder>")
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return Fact(fact.name, text[:LONGEST], fact.condition, fact.sqlstate)


def main() -> None:
    failures = []
    with TemporaryDirectory() as scratch:
        spark = local_session(Path(scratch, "spark"))
        for number, name in enumerate(ERRORS):
            folder = Path(scratch, str(number))
            folder.mkdir()
            failures.append(record(name, spark, folder))
            sys.stderr.write(f"{name}\n")
        spark.stop()
    corpus = {"spark": pyspark.__version__, "failures": failures}
    CORPUS.write_text(json.dumps(corpus, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
