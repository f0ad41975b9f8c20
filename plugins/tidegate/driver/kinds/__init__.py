"""The kinds of stage: how each turns named inputs into one output."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from tidegate.contract import Kind, StageSpec, digest
from tidegate.driver.kinds.job import call_by_name, load_run
from tidegate.errors import SpecError

Inputs = Mapping[str, object]
Produce = Callable[[StageSpec, SparkSession, Inputs], object]


def produce(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    """Run the stage's job on its opened inputs; for a frame this builds a plan and starts no work.

    :return: a frame (batch, sql, graph, gate) or a ``registry.trained.Trained``.
    :raises SpecError: if the job file is missing, is not what was submitted, or does not fit its
        kind.
    """
    return KINDS[spec.kind](spec, spark, inputs)


def _batch(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    return call_by_name(load_run(_unchanged(spec)), _offered(spec, spark, inputs))


def _sql(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    from tidegate.driver.kinds import sql

    return sql.produce(spark, Path(_unchanged(spec)), spec.params)


def _train(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    from tidegate.driver.kinds import train

    return train.produce(load_run(_unchanged(spec)), _offered(spec, spark, inputs))


def _graph(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    from tidegate.driver.kinds import graph

    run = load_run(_unchanged(spec))
    return graph.produce(run, _offered(spec, spark, inputs), spec.engine or "graphx")


def _gate(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> object:
    return inputs[spec.reads[0].name]


KINDS: Mapping[Kind, Produce] = {
    "batch": _batch,
    "sql": _sql,
    "train": _train,
    "graph": _graph,
    "gate": _gate,
}
"""Each imports its file when it is called: a batch stage pays nothing for graphs."""


def _offered(spec: StageSpec, spark: SparkSession, inputs: Inputs) -> Inputs:
    return {**inputs, "spark": spark, "params": dict(spec.params)}


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
