"""The command line: its words, and which of them needs Airflow."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tidegate.cli.exits import FAILED, INTERRUPTED
from tidegate.errors import TidegateError

_EXITS = """exit codes:
  0    published, passed or explained; validate: nothing found
  1    failed; validate: something is wrong
  2    the command line is wrong
  3    the gate closed
  130  interrupted
"""


def main(words: Sequence[str] | None = None) -> int:
    """Obey a command line; return its exit code."""
    asked = _parser().parse_args(words)
    try:
        code: int = asked.obey(asked)
    except TidegateError as error:
        sys.stderr.write(f"tidegate: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="tidegate",
        description=__doc__,
        epilog=_EXITS,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one stage as its DAG file defines it")
    run.add_argument("dag_file", type=Path, metavar="DAG_FILE")
    run.add_argument("task_id", metavar="TASK_ID")
    run.add_argument("date", type=_date, metavar="DATE", help="the logical date: 2013-02-08")
    run.add_argument("--no-publish", action="store_true", help="stop after the verdict")
    told = "which copy of a mapped stage"
    run.add_argument("--map-index", type=int, default=-1, metavar="N", help=told)
    run.add_argument("--dag", metavar="DAG_ID", help="which DAG, of a file with several")
    run.set_defaults(obey=_run)
    validate = commands.add_parser("validate", help="check DAGs, jobs and suites; read no data")
    validate.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", default=[Path()])
    told = "for whose inputs to look; without it, what a template names may not be there yet"
    validate.add_argument("--date", type=_date, metavar="DATE", help=told)
    validate.set_defaults(obey=_validate)
    explain = commands.add_parser("explain", help="tell a report in words")
    told = "the file, or a folder: the newest in it"
    explain.add_argument("report", type=Path, metavar="REPORT", help=told)
    explain.set_defaults(obey=_explain)
    return parser


def _date(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment


# Each imports its module when it is asked for: to explain a report takes no Airflow.


def _run(asked: Namespace) -> int:
    from tidegate.cli.run import run

    return run(asked)


def _validate(asked: Namespace) -> int:
    from tidegate.cli.validate import validate

    return validate(asked.folders, asked.date)


def _explain(asked: Namespace) -> int:
    from tidegate.cli.explain import explain

    return explain(asked.report)
