"""What a Spark application measured of itself."""

import logging
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from tidegate.driver.jvm import run_times, stages_of, status_store

log = logging.getLogger(__name__)


def measure(spark: SparkSession) -> dict[str, Any]:
    """Return the application's id, versions and totals over its Spark stages.

    Bytes: ``input_bytes``, ``shuffle_bytes`` (written), ``spill_bytes`` (to disk),
    ``peak_memory_bytes`` (execution, largest task set). ``skew`` is the longest task of the longest
    Spark stage over its median task.
    """
    context = spark.sparkContext
    measures: dict[str, Any] = {"application": context.applicationId}
    try:
        measures |= {"version": spark.version, "master": context.master, "ui": context.uiWebUrl}
        measures |= _totals(context)
    except (Py4JError, OSError, AttributeError) as error:
        # For reading at a glance: a stage has done its work, or failed, with or without them.
        log.warning("no measures of this application: %s", type(error).__name__)
    return measures


def _totals(context: SparkContext) -> dict[str, Any]:
    store = status_store(context)
    stages = stages_of(context, store)
    totals = {
        "input_bytes": sum(stage.inputBytes() for stage in stages),
        "input_rows": sum(stage.inputRecords() for stage in stages),
        "shuffle_bytes": sum(stage.shuffleWriteBytes() for stage in stages),
        "spill_bytes": sum(stage.diskBytesSpilled() for stage in stages),
        "peak_memory_bytes": max((stage.peakExecutionMemory() for stage in stages), default=0),
        "tasks": sum(stage.numCompleteTasks() for stage in stages),
        "failed_tasks": sum(stage.numFailedTasks() for stage in stages),
    }
    if not stages:
        return totals
    longest = max(stages, key=lambda stage: int(stage.executorRunTime()))
    return totals | {"skew": _skew(context, store, longest)}


def _skew(context: SparkContext, store: Any, stage: Any) -> float | None:
    times = run_times(context, store, stage)
    if times is None or not times[0]:
        return None
    return round(times[1] / times[0], 1)
