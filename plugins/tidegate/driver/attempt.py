"""The steps of one attempt; each takes what the one before it returned."""

from contextlib import ExitStack
from dataclasses import replace
from secrets import token_hex

from pyspark.sql import SparkSession

from tidegate.contract import Output, StageSpec, Suite, digest, secrets_of
from tidegate.driver.diagnose import diagnose
from tidegate.driver.gate import open_gate
from tidegate.driver.inputs import Opened, open_inputs
from tidegate.driver.jvm import has_died
from tidegate.driver.kinds import Loaded, load
from tidegate.driver.measures import measure
from tidegate.driver.record import Record
from tidegate.driver.session import open_session
from tidegate.driver.stream.attempt import StreamAttempt, bounded, only_source
from tidegate.driver.stream.letters import DeadLetters
from tidegate.driver.targets import open_target
from tidegate.driver.targets.settle import Settled, settle
from tidegate.driver.targets.table.stream import StreamTable
from tidegate.errors import DriverLost, JobError

_UNEXPLAINED = (JobError.__name__, DriverLost.__name__)
"""What a failure is taken for that no rule knows."""


def start(spec: StageSpec, record: Record) -> SparkSession:
    """Start Spark, and say where its UI is."""
    with record.step("session"):
        spark = open_session(spec)
        if address := spark.sparkContext.uiWebUrl:
            record.channel.spark_ui(address)
    record.secrets = (*record.secrets, *secrets_of(dict(spark.sparkContext.getConf().getAll())))
    record.describe = spark.sparkContext.setJobDescription
    return spark


def settle_stream(spec: StageSpec, spark: SparkSession, record: Record) -> Settled:
    """Load the job of a stream, plan it once, and settle micro-batch after micro-batch.

    :raises Exception: whatever a step raises.
    """
    with record.step("load"):
        job = load(spec)
    with record.step("inputs"):
        opened = open_inputs(spark, bounded(spec))
        record.inputs = opened.inputs
        gate = open_gate(spark, spec.suite, spec.params)
        work = fingerprint(spec, opened, job)
        table = StreamTable(spark, spec, work)
        dead = f"{spec.target}__dead_letters"
        of_dead = replace(spec, writes=dead, mode="append", merge=None)
        aside = StreamTable(spark, of_dead, work)
    with record.step("job"):
        output = job.produce(spark, opened.offered)
    open_to_all = open_gate(spark, Suite(name="dead_letters", document={"expectations": []}), {})
    letters = DeadLetters(
        spark=spark,
        table=aside,
        inputs=opened.letters,
        gate=open_to_all,
        rules=bool(spec.stream and spec.stream.dead_letters),
        source=only_source(spec.reads),
    )
    stream = StreamAttempt(
        spec=spec,
        spark=spark,
        record=record,
        gate=gate,
        table=table,
        letters=letters,
        feeds=opened.feeds,
    )
    return stream.settle(output)


def settle_attempt(spec: StageSpec, spark: SparkSession, record: Record) -> Settled:
    """Load the job, open its inputs, fence older attempts off, run it, and settle its output.

    :raises Exception: whatever a step raises.
    """
    if spec.stream is not None:
        return settle_stream(spec, spark, record)
    with record.step("load"):
        # Before the fence, which needs to know what the job imports; and a job that cannot be
        # loaded fences nobody off.
        job = load(spec)
    with record.step("inputs"):
        opened = open_inputs(spark, spec.reads)
        record.inputs = opened.inputs
        # The gate opens here: what is wrong with a suite is known before anything is written.
        gate = open_gate(spark, spec.suite, spec.params)
        target = open_target(spark, spec, fingerprint(spec, opened, job), opened.inputs)
    with record.step("fence"):
        begun = target.begin()
    if isinstance(begun, Output):
        return Settled(outcome="published", output=begun)
    # A frame is a plan: what its job keeps is needed until it has been written.
    with job.keeping(spark):
        with ExitStack() as undo:
            # A job that fails leaves no branch behind, only the token that fences older ones off.
            undo.callback(begun.discard)
            with record.step("job"):
                output = job.produce(spark, opened.offered)
            undo.pop_all()
        return settle(begun, output, gate, record, publish=spec.publish)


def fail(
    spec: StageSpec,
    spark: SparkSession | None,
    record: Record,
    error: Exception | SystemExit,
    first_stage: int,
) -> None:
    """Report what ended an attempt, unless it is that Spark died.

    :param first_stage: Spark's number of the attempt's first, in an application that had others.
    """
    discreet = spec.suite.has_pii
    failure = diagnose(error, spark, spec.job, discreet=discreet)
    raised = type(error).__name__
    if discreet:  # a job names its classes as it likes
        raised = failure.type
    record.channel.say(f"failed in step {record.last_step}: {raised}")
    if spark is not None:
        if failure.type in _UNEXPLAINED and has_died(spark):
            # What of, exit code and log say, and they are read where there is no report. Mostly
            # there is none anyway: the kernel kills this process once the JVM is gone.
            return
        record.spark |= measure(spark, first_stage)
    record.save("failed", failure=failure)


def fingerprint(spec: StageSpec, opened: Opened, job: Loaded) -> str:
    """Name this work: one run of the same code on the same inputs, until the task is cleared."""
    work: tuple[object, ...] = (
        spec.key,
        spec.mode,
        spec.merge,
        spec.engine,
        spec.job_sha256,
        job.modules,
        spec.suite.sha256,
        spec.params,
        opened.states,
    )
    if not spec.publish:
        # Of nobody else: an attempt that finds its own work judged and passed publishes it.
        work += (token_hex(),)
    return digest([work, spec.attempt.run_id, spec.attempt.generation])
