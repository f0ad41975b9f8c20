"""Fetch every jar that a test names: ``python -m tests.fetch``.

Once, before tests run side by side: two processes that fetch one jar at a time spoil it for each
other.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.stream.broker import jars
from tests.driver.local_spark import ICEBERG, KAFKA, POSTGRES
from tests.system.test_delta import DELTA


def main() -> None:
    """Have Spark's own Ivy resolve them as the tests do.

    :raises CalledProcessError: if a jar cannot be fetched.
    """
    without = {key: value for key, value in os.environ.items() if key != "SPARK_CONF_DIR"}
    submit = str(Path(sys.executable).with_name("spark-submit"))
    with TemporaryDirectory() as folder:
        nothing = Path(folder, "nothing.py")
        nothing.touch()
        for packages in (f"{ICEBERG},{POSTGRES},{KAFKA}", f"{ICEBERG},{DELTA}"):
            command = [submit, "--master", "local[1]", "--packages", packages, str(nothing)]
            subprocess.run(command, check=True, env=without)
    jars()


if __name__ == "__main__":
    main()
