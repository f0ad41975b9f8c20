"""Print, table by table, whether the lake says what DuckDB says; run in the project's folder."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from demo.tpch.compare import expected, published


def main(root: Path) -> int:
    """Return 0 if and only if every table has the same rows."""
    spark = SparkSession.builder.master("local[2]").appName("tpch").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    theirs = expected(root / "landing")
    ours = published(spark)
    spark.stop()
    different = [name for name in theirs if ours[name] != theirs[name]]
    for name, rows in theirs.items():
        told = "as DuckDB has it"
        if name in different:
            told = f"DIFFERS: {set(rows) ^ set(ours[name])}"
        print(f"  lake.tpch.{name:15} {len(ours[name]):4} rows  {told}")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
