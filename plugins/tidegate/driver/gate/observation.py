"""Observing a frame without a mark on its Spark session."""

from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Observation, SparkSession


def observe(
    spark: SparkSession, frame: DataFrame, columns: Sequence[Column]
) -> tuple[DataFrame, Observation]:
    """Return ``frame`` with ``columns`` observed as it is written, and the observation that will hold them.

    Not by ``frame.observe(Observation())``: that has the session keep an ObservationManager for
    good, which cannot be serialised, so that any closure that holds the session fails from then on
    ("Task not serializable"); a freshly fitted ``LogisticRegressionModel`` is one, by its summary
    (measured on 4.1.1). This manager is the gate's own.
    """
    jvm: Any = spark._jvm
    observation = Observation(f"tidegate-{uuid4().hex}")
    observation._jvm = jvm
    observation._jo = jvm.org.apache.spark.sql.Observation(observation._name)
    jvm.org.apache.spark.sql.classic.ObservationManager(frame.sparkSession._jsparkSession).register(
        observation._jo, frame._jdf
    )
    return frame.observe(str(observation._name), *columns), observation


def read(observation: Observation, patience: float) -> Mapping[str, object] | None:
    """Return what was observed, or nothing if it does not come within ``patience`` seconds: ``get`` waits for ever."""
    box: Queue[Mapping[str, object] | None] = Queue()
    Thread(target=lambda: box.put(_get(observation)), daemon=True).start()
    try:
        return box.get(timeout=patience)
    except Empty:
        return None


def _get(observation: Observation) -> Mapping[str, object] | None:
    try:
        return observation.get
    except (Py4JError, PySparkException):  # its node was optimised away
        return None
