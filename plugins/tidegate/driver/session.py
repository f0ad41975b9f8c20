"""The Spark session of a stage."""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Thread

from pyspark import SparkConf
from pyspark.sql import SparkSession

from tidegate.contract import KINDS, SECRETS, VARIABLE, ModelRead, StageSpec
from tidegate.contract.feeds import SECURED
from tidegate.contract.secrets import redaction_regex
from tidegate.driver import gate
from tidegate.driver.jvm import start_jvm
from tidegate.errors import require

_WAREHOUSE = re.compile(r"spark\.sql\.catalog\.\w+\.warehouse")
_RELATIVE = re.compile(r"(?!/)[^:]*")
_PR_SET_PDEATHSIG = 1
_MODE = "spark.submit.deployMode"
_REDACTION = "spark.redaction.regex"
_SPARKS_REDACTION = r"(?i)secret|password|token|access[.]?key"
"""What Spark hides by itself, in all of its versions 4."""


def die_with_parent() -> None:
    """Have the kernel kill this process when spark-submit's JVM dies.

    Linux only; elsewhere the lost JVM ends it, at its next call.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def with_secrets(spec: StageSpec) -> StageSpec:
    """Return the spec with the secret conf that a driver's pod is given beside it."""
    # Taken out: what the job starts is to know no more than the job.
    hidden = os.environ.pop(SECRETS, "{}")
    return replace(spec, conf={**spec.conf, **json.loads(hidden)})


def take_variables(spec: StageSpec) -> None:
    """Have this process know the secret variables that travelled in the spec's conf."""
    for key, value in spec.conf.items():
        if key.startswith(VARIABLE):
            os.environ[key.removeprefix(VARIABLE)] = value


def open_session(spec: StageSpec) -> SparkSession:
    """Start the Spark session that spark-submit configured, named ``<dag>.<task>``.

    Great Expectations and MLflow (seconds of imports) load beside it. A catalog's relative
    ``warehouse`` is made absolute: executors run in other folders than the driver.
    """
    loading = Thread(target=_preload, args=(spec,), daemon=True)
    loading.start()
    spark = configured(f"{spec.attempt.dag_id}.{spec.attempt.task_id}", spec.conf)
    _check_registry(spec, dict(spark.sparkContext.getConf().getAll()))
    loading.join()
    return spark


def configured(name: str, conf: Mapping[str, str]) -> SparkSession:
    """Start the Spark session that spark-submit configured, with more conf."""
    builder = SparkSession.builder.appName(name)
    start_jvm()
    submitted = dict(SparkConf().getAll())
    given = {**submitted, **conf}
    ours = {**_absolute_warehouses(given), **_protections(given)}
    for key, value in {**conf, **ours}.items():
        # Neither an option of a read nor a variable is a setting of Spark's, which its UI shows.
        if not key.startswith((SECURED, VARIABLE)):
            builder = builder.config(key, value)
    return builder.getOrCreate()


def _absolute_warehouses(conf: Mapping[str, str]) -> dict[str, str]:
    """Return the relative warehouses as the folders that they mean, below where Spark started.

    :raises SpecError: if that is a container's folder, which goes with the driver.
    """
    absolute = {}
    for key, value in conf.items():
        if _WAREHOUSE.fullmatch(key) and _RELATIVE.fullmatch(value):
            require(
                not _is_elsewhere(conf),
                f"{key} is {value!r}, which would lie in the driver's own folder on the cluster: "
                "name a place that all machines reach, such as hdfs://…",
            )
            absolute[key] = f"file://{Path(value).absolute()}"
    return absolute


def _check_registry(spec: StageSpec, conf: Mapping[str, str]) -> None:
    require(
        not (_is_elsewhere(conf) and _uses_models(spec)) or "MLFLOW_TRACKING_URI" in os.environ,
        "MLFLOW_TRACKING_URI is not set, and MLflow's store would lie in the driver's own folder "
        "on the cluster: name one that all machines reach, in env_vars",
    )


def _is_elsewhere(conf: Mapping[str, str]) -> bool:
    """Tell whether this driver runs on the cluster, in a folder that goes with it."""
    # In a pod, spark-submit is run once more, in client mode.
    is_pods = conf.get("spark.kubernetes.submitInDriver") == "true"
    return is_pods or conf.get(_MODE) == "cluster"


def _uses_models(spec: StageSpec) -> bool:
    reads_model = any(isinstance(read, ModelRead) for read in spec.reads)
    return reads_model or KINDS[spec.kind].publishes == "model"


def _protections(conf: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that hold whatever an author has set."""
    return {
        # Spark would replace ${env:…} in every text that it parses, before it parses it.
        "spark.sql.variable.substitute": "false",
        # Spark's UI and event log hide what our log and report hide.
        _REDACTION: redaction_regex(conf.get(_REDACTION, _SPARKS_REDACTION)),
    }


def _preload(spec: StageSpec) -> None:
    gate.preload(spec.suite)
    if _uses_models(spec):
        from tidegate.driver.registry import reading

        reading.preload()
