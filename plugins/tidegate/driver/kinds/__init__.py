"""The kinds of stage: how each turns named inputs into one output."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyspark.sql import SparkSession

from tidegate.contract import Kind, StageSpec, digest
from tidegate.driver.kinds.job import Run, call_by_name, load_run
from tidegate.driver.kinds.modules import local_modules
from tidegate.errors import SpecError

Inputs = Mapping[str, object]
Produce = Callable[[SparkSession, Inputs], object]
Keeping = Callable[[SparkSession], AbstractContextManager[None]]


def _nothing(spark: SparkSession) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Loaded:
    """A job, loaded and not yet run.

    :param produce: runs it on the stage's opened inputs; for a frame this builds a plan and starts
        no work. It returns a frame (batch, sql, graph, gate) or a ``registry.trained.Trained``.
    :param modules: the SHA-256 of each module of the project's own that it imports, by name.
    :param keeping: what has to be there until its output is settled, and is cleaned up then.
    """

    produce: Produce
    modules: Mapping[str, str] = field(default_factory=dict)
    keeping: Keeping = _nothing


def load(spec: StageSpec) -> Loaded:
    """Load the stage's job: import it, and know what it imports; nothing of it runs.

    :raises SpecError: if the job file is missing, is not what was submitted, or does not fit its
        kind.
    """
    return KINDS[spec.kind](spec)


def _batch(spec: StageSpec) -> Loaded:
    return _python(spec, call_by_name)


def _sql(spec: StageSpec) -> Loaded:
    from tidegate.driver.kinds import sql

    job = Path(_unchanged(spec))
    return Loaded(lambda spark, inputs: sql.produce(spark, job, spec.params))


def _train(spec: StageSpec) -> Loaded:
    from tidegate.driver.kinds import train

    return _python(spec, train.produce)


def _graph(spec: StageSpec) -> Loaded:
    from tidegate.driver.kinds import graph

    engine = spec.engine or "graphx"
    job = _python(spec, lambda run, offered: graph.produce(run, offered, engine))
    return replace(job, keeping=lambda spark: graph.keeping(spark, spec))


def _gate(spec: StageSpec) -> Loaded:
    return Loaded(lambda spark, inputs: inputs[spec.reads[0].name])


KINDS: Mapping[Kind, Callable[[StageSpec], Loaded]] = {
    "batch": _batch,
    "sql": _sql,
    "train": _train,
    "graph": _graph,
    "stream": _batch,
    "gate": _gate,
}
"""Each imports its file when it is called: a batch stage pays nothing for graphs."""


def _python(spec: StageSpec, call: Callable[[Run, Inputs], object]) -> Loaded:
    job = _unchanged(spec)
    run = load_run(job)

    def produce(spark: SparkSession, inputs: Inputs) -> object:
        return call(run, _offered(spec, spark, inputs))

    return Loaded(produce, local_modules(Path(job)))


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
