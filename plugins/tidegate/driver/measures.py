"""What a Spark application measured of itself."""

import logging
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from tidegate.driver.jvm import run_times, stages_of, status_store

log = logging.getLogger(__name__)

_SUMMED = {
    "input_bytes": "inputBytes",
    "input_rows": "inputRecords",
    "shuffle_bytes": "shuffleWriteBytes",
    "spill_bytes": "diskBytesSpilled",
    "tasks": "numCompleteTasks",
    "failed_tasks": "numFailedTasks",
}
"""Our name of a total, and what Spark's UI calls it of each of its stages."""


def measure(spark: SparkSession, first_stage: int = 0) -> dict[str, Any]:
    """Return the application's id, versions and totals over the attempt's Spark stages.

    Bytes: ``input_bytes``, ``shuffle_bytes`` (written), ``spill_bytes`` (to disk),
    ``peak_memory_bytes`` (execution, largest task set). ``skew`` is the longest task of the longest
    Spark stage over its median task.

    :param first_stage: stages below are those of other attempts, which a warm driver has served.
    """
    context = spark.sparkContext
    measures: dict[str, Any] = {"application": context.applicationId}
    try:
        measures |= {"version": spark.version, "master": context.master, "ui": context.uiWebUrl}
        measures |= _totals(context, first_stage)
    except (Py4JError, OSError, AttributeError) as error:
        # For reading at a glance: a stage has done its work, or failed, with or without them.
        log.warning("no measures of this application: %s", type(error).__name__)
    return measures


def _totals(context: SparkContext, first_stage: int) -> dict[str, Any]:
    store = status_store(context)
    every = stages_of(context, store)
    stages = [stage for stage in every if stage.stageId() >= first_stage]
    totals: dict[str, Any] = {}
    for name, getter in _SUMMED.items():
        totals[name] = sum(getattr(stage, getter)() for stage in stages)
    peaks = [stage.peakExecutionMemory() for stage in stages]
    totals["peak_memory_bytes"] = max(peaks, default=0)
    if not stages:
        return totals
    longest = max(stages, key=lambda stage: int(stage.executorRunTime()))
    return totals | {"skew": _skew(context, store, longest)}


def _skew(context: SparkContext, store: Any, stage: Any) -> float | None:
    times = run_times(context, store, stage)
    if times is None:
        return None
    median, longest = times
    if not median:
        return None
    return round(longest / median, 1)
