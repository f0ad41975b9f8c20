"""What an application on YARN is given: the driver's spec and job, its conf, the tag it bears."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.contract import VARIABLE, Attempt
from tidegate.errors import SpecError, require
from tidegate.store import DRIVERS_SPEC, Files
from tidegate.submit.protocol import Order
from tidegate.submit.secrets import JAVA, shown_variables

_WAITS = "spark.yarn.submit.waitAppCompletion"
_OURS = {"spark.yarn.maxAppAttempts": "1", _WAITS: "true"}
_HADOOP = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")


def tag_of(attempt: Attempt) -> str:
    """Return the tag that an attempt's application bears; YARN takes 100 plain letters."""
    names = (attempt.dag_id, attempt.run_id, attempt.task_id, attempt.map_index)
    told = "\n".join(map(str, (*names, attempt.generation, attempt.try_number)))
    return f"tidegate:{sha256(told.encode()).hexdigest()[:32]}"


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


def write_spec(order: Order, there: Files) -> None:
    """Lay out the spec that travels: the job lies beside the driver, secret variables within.

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
    order.files.write(DRIVERS_SPEC, spec.to_json())


def arguments(order: Order) -> dict[str, Any]:
    """Return the hook's arguments: spec and job are files of the application."""
    shown = order.settings.shown
    files = (str(order.files.path(DRIVERS_SPEC)), order.spec.job, shown.get("files"))
    return {**shown, "files": ",".join(filter(None, files))}


def conf_of(order: Order, master: str) -> dict[str, str]:
    """Return what a driver on YARN needs of its conf.

    :raises SpecError: if the operator's conf says otherwise.
    """
    given = order.settings.shown.get("conf", {})
    for key, ours in _OURS.items():
        said = given.get(key, ours)
        require(
            str(said).lower() == ours,
            f"conf {key}={said!r}: a stage needs {ours!r}; its retries are Airflow's, and its task "
            "waits for its end",
        )
    tags = filter(None, (given.get("spark.yarn.tags"), tag_of(order.spec.attempt)))
    return {
        "spark.yarn.appMasterEnv.GX_ANALYTICS_ENABLED": "false",
        **shown_variables(order.settings, master),
        **_OURS,
        _WAITS: str(not order.lets_go).lower(),
        "spark.yarn.tags": ",".join(tags),
    }


def submitters_variables(order: Order) -> dict[str, str]:
    """Return what of the author's variables is for spark-submit too, not for the driver alone."""
    given = order.settings.variables
    return {name: given[name] for name in _HADOOP if name in given}
