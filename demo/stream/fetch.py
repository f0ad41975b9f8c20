"""Fetch what ``make stream`` needs beside the rest: the broker's jars, and Spark's Kafka source."""

import subprocess
import sys

from demo.stream.broker import IVY, jars
from demo.stream.project import packages


def main() -> int:
    """Fetch both, once; what cannot be fetched is told in the words of who tried."""
    jars()
    nothing = IVY / "nothing.py"
    command = ["spark-submit", "--master", "local[1]", "--packages", packages(), str(nothing)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"Spark's Kafka source cannot be fetched:\n{done.stderr[-3000:]}", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
