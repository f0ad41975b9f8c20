"""The steps of one attempt; each takes what the one before it returned."""

from contextlib import ExitStack

from pyspark.sql import SparkSession

from tidegate.contract import Output, StageSpec, digest, secrets_of
from tidegate.driver.gate import open_gate
from tidegate.driver.inputs import Opened, open_inputs
from tidegate.driver.kinds import produce
from tidegate.driver.record import Record
from tidegate.driver.session import open_session
from tidegate.driver.targets import open_target
from tidegate.driver.targets.settle import Settled, settle
from tidegate.driver.targets.target import Fenced


def start(spec: StageSpec, record: Record) -> SparkSession:
    """Start Spark, and say where its UI is."""
    with record.step("session"):
        spark = open_session(spec)
        if address := spark.sparkContext.uiWebUrl:
            record.channel.spark_ui(address)
    record.secrets = (*record.secrets, *secrets_of(dict(spark.sparkContext.getConf().getAll())))
    record.describe = spark.sparkContext.setJobDescription
    return spark


def settle_attempt(spec: StageSpec, spark: SparkSession, record: Record) -> Settled:
    """Open the inputs, fence older attempts off, run the job, and settle what it returns.

    :raises Exception: whatever a step raises.
    """
    with record.step("inputs"):
        opened = open_inputs(spark, spec.reads)
        record.inputs = opened.inputs
        # The gate opens here: what is wrong with a suite is known before anything is written.
        gate = open_gate(spark, spec.suite, spec.params)
        target = open_target(spark, spec, fingerprint(spec, opened), opened.inputs)
    with record.step("fence"):
        begun = target.begin()
    if isinstance(begun, Output):
        return Settled(outcome="published", output=begun)
    output = _run_job(spec, spark, opened, begun, record)
    return settle(begun, output, gate, record)


def _run_job(
    spec: StageSpec, spark: SparkSession, opened: Opened, fenced: Fenced, record: Record
) -> object:
    with ExitStack() as undo:
        # A job that fails leaves no branch behind, only the token that fences older attempts off.
        undo.callback(fenced.discard)
        with record.step("job"):
            output = produce(spec, spark, opened.offered)
        undo.pop_all()
    return output


def fingerprint(spec: StageSpec, opened: Opened) -> str:
    """Name this work: one run of the same code on the same inputs, until the task is cleared."""
    work = (
        spec.key,
        spec.mode,
        spec.engine,
        spec.job_sha256,
        spec.suite.sha256,
        spec.params,
        opened.states,
    )
    return digest([work, spec.attempt.run_id, spec.attempt.generation])
