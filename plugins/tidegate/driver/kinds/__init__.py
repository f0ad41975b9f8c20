"""The kinds of stage: how each turns named inputs into one output."""

from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from tidegate.contract import StageSpec, digest
from tidegate.driver.kinds.job import call_by_name, load_run
from tidegate.errors import SpecError


def produce(spec: StageSpec, spark: SparkSession, inputs: Mapping[str, object]) -> object:
    """Run the stage's job on its opened inputs; for a frame this builds a plan and starts no work.

    :return: a frame (batch, sql, graph, gate) or a ``train.Trained``.
    :raises SpecError: if the job file is missing, is not what was submitted, or does not fit its kind.
    """
    if spec.kind == "gate":
        return inputs[spec.reads[0].name]
    job = _unchanged(spec)
    offered = {**inputs, "spark": spark, "params": dict(spec.params)}
    if spec.kind == "sql":
        from tidegate.driver.kinds import sql

        return sql.produce(spark, Path(job), spec.params)
    run = load_run(job)
    if spec.kind == "train":
        from tidegate.driver.kinds import train

        return train.produce(run, offered)
    if spec.kind == "graph":
        from tidegate.driver.kinds import graph

        return graph.produce(run, offered, spec.engine or "graphx")
    return call_by_name(run, offered)


def _unchanged(spec: StageSpec) -> str:
    """Return the job's path, once its bytes are known to be the ones that were submitted."""
    job = str(spec.job)
    if not Path(job).is_file():
        raise SpecError(f"job {job}: no such file where the driver runs")
    if digest(Path(job).read_bytes()) != spec.job_sha256:
        raise SpecError(
            f"job {job} changed between submission and start: clear this task to run the new one"
        )
    return job
