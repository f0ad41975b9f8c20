"""The Spark session of a stage, and what it measured of itself."""

import ctypes
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from tidegate.contract import StageSpec

_WAREHOUSE = re.compile(r"spark\.sql\.catalog\.\w+\.warehouse")
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when spark-submit's JVM dies (Linux only; elsewhere the lost JVM ends it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def open_session(spec: StageSpec) -> SparkSession:
    """Start the Spark session that spark-submit configured, named ``<dag>.<task>``.

    A catalog's relative ``warehouse`` is made absolute: executors run in other folders than the driver.
    """
    attempt = spec.attempt
    builder = SparkSession.builder.appName(f"{attempt.dag_id}.{attempt.task_id}")
    SparkContext._ensure_initialized()  # SparkConf knows nothing of what spark-submit was told before the JVM is there
    for key, value in {**dict(SparkConf().getAll()), **spec.conf}.items():
        if _WAREHOUSE.fullmatch(key) and ":" not in value and not value.startswith("/"):
            builder = builder.config(key, f"file://{Path(value).absolute()}")
        elif key in spec.conf:
            builder = builder.config(key, value)
    return builder.getOrCreate()


def measure(spark: SparkSession) -> dict[str, Any]:
    """Return the application's id, versions and totals over its Spark stages.

    Bytes: ``input_bytes``, ``shuffle_bytes`` (written), ``spill_bytes`` (to disk), ``peak_memory_bytes`` (execution,
    largest task set). ``skew`` is the longest task of the longest Spark stage over its median task.
    """
    context = spark.sparkContext
    measures: dict[str, Any] = {"application": context.applicationId}
    # Measures are for reading at a glance: a stage has done its work, or failed, whether or not they can be had.
    with suppress(Py4JError, OSError, AttributeError):
        measures |= {"version": spark.version, "master": context.master, "ui": context.uiWebUrl}
        measures |= _totals(context)
    return measures


def _totals(context: Any) -> dict[str, Any]:
    store = context._jsc.sc().statusStore()
    listed = store.stageList(
        None, False, False, context._gateway.new_array(context._jvm.double, 0), None
    )
    stages = [listed.apply(index) for index in range(listed.size())]
    totals = {
        "input_bytes": sum(stage.inputBytes() for stage in stages),
        "input_rows": sum(stage.inputRecords() for stage in stages),
        "shuffle_bytes": sum(stage.shuffleWriteBytes() for stage in stages),
        "spill_bytes": sum(stage.diskBytesSpilled() for stage in stages),
        "peak_memory_bytes": max((stage.peakExecutionMemory() for stage in stages), default=0),
        "tasks": sum(stage.numCompleteTasks() for stage in stages),
        "failed_tasks": sum(stage.numFailedTasks() for stage in stages),
    }
    longest = max(stages, key=lambda stage: int(stage.executorRunTime()), default=None)
    return totals if longest is None else totals | {"skew": _skew(context, store, longest)}


def _skew(context: Any, store: Any, stage: Any) -> float | None:
    quantiles = context._gateway.new_array(context._jvm.double, 2)
    quantiles[0], quantiles[1] = 0.5, 1.0
    found = store.taskSummary(stage.stageId(), stage.attemptId(), quantiles)
    if not found.isDefined():
        return None
    run_time = found.get().executorRunTime()
    median, longest = float(run_time.apply(0)), float(run_time.apply(1))
    return round(longest / median, 1) if median else None
