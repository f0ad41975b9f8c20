"""Observing a frame without a mark on its Spark session."""

from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from threading import Thread
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Observation

from tidegate.driver.jvm import registered


def observe(frame: DataFrame, columns: Sequence[Column]) -> tuple[DataFrame, Observation]:
    """Return ``frame`` with ``columns`` observed as it is written, and what will hold them.

    Not by ``frame.observe(Observation())``: that has the session keep an ObservationManager for
    good, which cannot be serialised, so that any closure that holds the session fails from then on
    ("Task not serializable"); a freshly fitted ``LogisticRegressionModel`` is one, by its summary
    (measured on 4.1.1). This manager is the gate's own.
    """
    observation = Observation(f"tidegate-{uuid4().hex}")
    name = registered(frame, observation)
    return frame.observe(name, *columns), observation


def read(observation: Observation, patience: float) -> Mapping[str, object] | None:
    """Return what was observed, or nothing if it does not come within ``patience`` seconds.

    ``get`` alone waits for ever.
    """
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
