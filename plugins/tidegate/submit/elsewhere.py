"""A driver on a cluster: what it is given, where it leaves its files, what it is found by."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.contract import VARIABLE, Attempt, StageSpec
from tidegate.errors import SpecError, require
from tidegate.store import DRIVERS_SPEC, AttemptFiles, Files
from tidegate.submit.protocol import Order
from tidegate.submit.secrets import JAVA

_UPLOADS = "driver=uploads"
"""No DAG's folder has ``=``."""


def digest_of(attempt: Attempt) -> str:
    """Return what an attempt's driver is found by on its cluster: 32 plain letters."""
    names = (attempt.dag_id, attempt.run_id, attempt.task_id, attempt.map_index)
    told = "\n".join(map(str, (*names, attempt.generation, attempt.try_number)))
    return sha256(told.encode()).hexdigest()[:32]


def place_of(order: Order, attempt: Attempt) -> Files:
    """Return where a driver on the cluster leaves an attempt's files.

    :raises SpecError: if that is a folder of this machine alone.
    """
    there = order.store.shared_files(attempt)
    if there is None:
        raise SpecError(
            "the connection asks for deploy-mode 'cluster', and [tidegate] reports_dir is a folder "
            "of this machine, where no driver on the cluster can leave its report: name a place "
            "that both reach (hdfs://…, s3a://…), or file:///folder if every machine has that "
            "folder mounted"
        )
    return there


def travelling(order: Order, there: Files) -> StageSpec:
    """Return the spec that travels: the job lies beside the driver, secret variables within.

    :raises SpecError: if a secret cannot be handed on out of sight.
    """
    require(
        JAVA not in order.settings.variables,
        "spark.driver.extraJavaOptions holds a secret, which no driver on a cluster can be given "
        "out of sight: pass it by a file that the cluster has",
    )
    hidden = {}
    for name, value in order.settings.secret_variables.items():
        hidden[f"{VARIABLE}{name}"] = value
    spec = replace(order.spec, folder=there.uri, conf={**order.spec.conf, **hidden})
    if spec.job is not None:
        spec = replace(spec, job=Path(spec.job).name)
    return spec


def arguments(order: Order) -> dict[str, Any]:
    """Return the hook's arguments: spec and job are files of the application."""
    shown = order.settings.shown
    files = (str(order.files.path(DRIVERS_SPEC)), order.spec.job, shown.get("files"))
    return {**shown, "files": ",".join(filter(None, files))}


def uploads_of(order: Order) -> Files:
    """Return where applications' files wait for their drivers, at the place that all reach.

    Not beside an attempt's: Spark takes the name of a run apart, and finds no ``%3A`` again.
    """
    store = order.store
    if store.shared is not None:
        return store.shared.files(_UPLOADS)
    return AttemptFiles(f"{store.root.rstrip('/')}/{_UPLOADS}")
