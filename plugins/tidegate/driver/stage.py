"""A stage's steps: open, fence, run, write aside, judge, publish or hold."""

from threading import Thread

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tidegate.contract import Outcome, Output, StageSpec, digest
from tidegate.driver import gate, models
from tidegate.driver.inputs import Opened, open_inputs
from tidegate.driver.kinds import produce
from tidegate.driver.publish import TableTarget
from tidegate.driver.record import Record, say, write_whole
from tidegate.driver.session import open_session
from tidegate.driver.target import Nowhere, Staged, Target
from tidegate.errors import TidegateError


class Stage:
    """One attempt under way. Each method is one step of ``__main__.run`` and says what it found to ``record``."""

    def __init__(self, spec: StageSpec, record: Record) -> None:
        self._spec, self._record = spec, record
        self.spark: SparkSession | None = None
        self._target: Target | None = None
        self._output: object = None
        self.outcome: Outcome = "failed"

    def open_session(self) -> SparkSession:
        """Start Spark, while Great Expectations and MLflow (seconds of imports) load beside it."""
        loading = Thread(target=self._preload, daemon=True)
        loading.start()
        self.spark = open_session(self._spec)
        if url := self.spark.sparkContext.uiWebUrl:
            say(f"ui {url}")
        loading.join()
        return self.spark

    def _preload(self) -> None:
        gate.preload(self._spec.suite)
        if self._spec.kind == "train" or any(read.model for read in self._spec.reads):
            models.preload()

    def open_inputs(self) -> None:
        """Open the inputs and the gate: what is wrong with either is known before anything is written."""
        spec = self._spec
        self._opened: Opened = open_inputs(self._session, spec.reads)
        self._record.inputs = self._opened.inputs
        self._gate = gate.open_gate(self._session, spec.suite, spec.params)
        self._target = self._choose_target()

    @property
    def _session(self) -> SparkSession:
        if self.spark is None:
            raise RuntimeError("the Spark session opens first")
        return self.spark

    def _choose_target(self) -> Target:
        spec = self._spec
        if spec.kind == "gate":
            return Nowhere(spec.reads[0].source)
        if spec.kind == "train":
            return models.ModelTarget(self._session, spec, self._fingerprint())
        return TableTarget(self._session, spec, self._fingerprint())

    def _fingerprint(self) -> str:
        """Name this work: the same run of the same code on the same inputs, until somebody clears the task."""
        spec, attempt = self._spec, self._spec.attempt
        work = (
            spec.stage,
            spec.mode,
            spec.engine,
            spec.job_sha256,
            spec.suite.sha256,
            spec.params,
            self._opened.states,
        )
        return digest([work, attempt.run_id, attempt.generation])

    def begin(self) -> bool:
        """Fence off older attempts; tell whether one of them left nothing to do."""
        if self._target is None:
            return False
        done = self._target.begin()
        if done is not None:
            self._finish("published", done)
        return done is not None

    def run_job(self) -> None:
        """Call the job."""
        self._output = produce(self._spec, self._session, self._opened.offered)

    def write_aside(self) -> None:
        """Write the job's output aside, measured for the gate as it passes."""
        self._session.sparkContext.setJobDescription(f"{self._spec.attempt.task_id}: write aside")
        self._staged: Staged = self._target.stage(self._output, self._gate.observe)  # type: ignore[union-attr]
        say(f"wrote {'' if self._staged.rows is None else f'{self._staged.rows:,} rows '}aside")

    def judge(self) -> None:
        """Judge what was written."""
        self._session.sparkContext.setJobDescription(f"{self._spec.attempt.task_id}: gate")
        self._record.judgement = self._gate.judge(self._staged.frame, self._staged.rows)
        if page := self._gate.data_docs():
            write_whole(self._spec.docs_file, page)

    def publish_or_hold(self) -> None:
        """Do what the verdict says."""
        judgement, target = self._record.judgement, self._target
        if judgement is None or target is None:
            raise RuntimeError("judging comes before publishing")
        if judgement.verdict == "closed":
            self._finish("held", target.hold(judgement))
        else:
            self._finish(
                "passed" if self._spec.kind == "gate" else "published", target.publish(judgement)
            )

    def _finish(self, outcome: Outcome, output: Output) -> None:
        self._record.output = output
        self.outcome = outcome

    def discard(self) -> None:
        """Drop what a failed attempt staged, unless it was judged already: then a retry publishes it."""
        if self._target is None or self._record.judgement is not None:
            return
        try:
            self._target.discard()
        except (TidegateError, Py4JError, PySparkException, OSError) as error:
            say(
                f"what was staged could not be dropped ({type(error).__name__}); the next attempt will"
            )
