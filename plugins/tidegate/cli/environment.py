"""Airflow's library without its server: a home to throw away, and a log of our own lines."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

_HOME = "AIRFLOW_HOME"
_DEPTH = "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH"
_REPORTS = "AIRFLOW__TIDEGATE__REPORTS_DIR"
REPORTS = ".tidegate/reports"
"""Where attempts leave their files, below the working folder, unless Airflow's home says."""


@contextmanager
def airflow_library() -> Iterator[None]:
    """Have Airflow's library work for this block, with no database and no server.

    Who has set AIRFLOW_HOME has settings there, which hold. Otherwise the home is made for the
    block alone. To be entered before anything imports Airflow, which makes a home of its own.
    """
    with TemporaryDirectory(prefix="tidegate-airflow-") as home:
        if _HOME not in os.environ:
            os.environ[_HOME] = home
            os.environ.setdefault(_REPORTS, str(Path(REPORTS).absolute()))
        # So many frames Airflow keeps of an error in a DAG file: the file's own is wanted.
        os.environ.setdefault(_DEPTH, "30")
        _log_our_lines()
        yield


def _log_our_lines() -> None:
    """Print what a stage's task log would hold of ours, and nothing of Airflow's."""
    import structlog

    # First, as it sets logging up while it is imported. Its loggers are structlog's: handed to the
    # standard library's, one handler has them all.
    import_module("airflow.settings")
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_args_and_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    told = logging.StreamHandler(sys.stdout)
    told.setFormatter(logging.Formatter("%(message)s"))
    told.addFilter(_is_ours)
    tasks = logging.getLogger("airflow.task")
    tasks.handlers = []
    tasks.propagate = True
    root = logging.getLogger()
    root.handlers = [told]
    root.setLevel(logging.INFO)


def _is_ours(record: logging.LogRecord) -> bool:
    return "tidegate" in record.name
