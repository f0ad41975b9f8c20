"""What a graph keeps while its stage works, and lets go of at the end: RDDs and checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from tidegate.contract import StageSpec, digest
from tidegate.driver.jvm.kept import kept_rdds, reaches, release_rdds, remove_folders
from tidegate.store import AttemptFiles

_THEIRS = "spark.checkpoint.dir"


@contextmanager
def keeping(spark: SparkSession, spec: StageSpec) -> Iterator[None]:
    """Give the attempt a folder for checkpoints, and remove it and every RDD kept meanwhile.

    A kill leaves them: RDDs die with the application, and the stage's next attempt removes the
    folder, as it removes the branches of older attempts.
    """
    with checkpointing(spark, spec), releasing(spark):
        yield


@contextmanager
def releasing(spark: SparkSession) -> Iterator[None]:
    """Let go, at the end, of every RDD that is kept by then and was not at the start."""
    before = kept_rdds(spark)
    try:
        yield
    finally:
        release_rdds(spark, before)


@contextmanager
def checkpointing(spark: SparkSession, spec: StageSpec) -> Iterator[None]:
    """Set a checkpoint folder of the attempt's own, and remove it at the end.

    A folder that the conf names is the author's, and stays as it is. Where there is none that all
    executors reach, none is set.
    """
    ours = _beginning(spark, spec)
    if ours is None or not reaches(spark, ours):
        yield
        return
    # Behind the fence: whoever still works in one of these can no longer publish.
    remove_folders(spark, f"{ours}*")
    folder = f"{ours}{spec.attempt.submitted_ms}"
    spark.sparkContext.setCheckpointDir(folder)
    try:
        yield
    finally:
        remove_folders(spark, folder)


def _beginning(spark: SparkSession, spec: StageSpec) -> str | None:
    """Return how the checkpoint folders of this stage's attempts begin, if there is a place."""
    context = spark.sparkContext
    if context.getConf().contains(_THEIRS):
        return None
    if str(context.master).startswith("local"):
        # Beside the folders of the tries: the next one of this run finds it.
        return f"file://{AttemptFiles(spec.folder).folder.absolute().parent}/checkpoints_"
    catalog = spec.target.partition(".")[0]
    warehouse = spark.conf.get(f"spark.sql.catalog.{catalog}.warehouse", None)
    if not warehouse:
        return None
    stage = digest(spec.key.encode())[:16]
    return f"{warehouse}/tidegate_checkpoints_{stage}_"
