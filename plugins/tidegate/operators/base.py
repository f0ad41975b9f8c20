"""What all stages have in common on the Airflow side: check at parse, submit, tell the report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout
from airflow.sdk.log import mask_secret

from tidegate.contract import (
    Kind,
    Merge,
    Mode,
    Read,
    Report,
    StageSpec,
    digest,
    merge_of,
    parse_read,
)
from tidegate.links import GateReportLink, SparkUiLink
from tidegate.operators.attempt import this_attempt, times
from tidegate.operators.checks import Checks, templated, unknown_told
from tidegate.operators.connections import connected
from tidegate.operators.copies import (
    copies,
    refuse_a_group_of_rivals,
    refuse_rivals,
    targets,
)
from tidegate.operators.deferral import end_driver, left, wait_for
from tidegate.operators.mapped import (
    SPARK,
    StagePartial,
    listing,
    outlets_of,
    outputs,
    unsealed,
)
from tidegate.operators.result import EXTRA, reads_of, result_of
from tidegate.operators.run import StageRun, refusals_told
from tidegate.operators.task_log import TaskLog
from tidegate.project import Project
from tidegate.retry import RETRIES, RETRY_POLICY
from tidegate.settings import defers, history_of, project_dir, reports_store
from tidegate.submit.arguments import SPARK_ARGUMENTS
from tidegate.submit.secrets import Settings, check_settings, part
from tidegate.submit.ways import lasts

if TYPE_CHECKING:
    from airflow.sdk import Context


class StageOperator(BaseOperator):
    """A Spark application: named inputs become one output, gated before anybody can read it.

    :param job: the job file, in the project's ``spark_jobs/``. (templated)
    :param reads: input name to path (csv, json, parquet, orc), table, ``{"path": …, "format": …,
        "schema": …, "options": {…}}``, or another stage operator: this task then depends on it and
        reads what that published. (templated)
    :param writes: the table, ``catalog.namespace.table``, created on first use. (templated)
    :param partition: column to value: exactly this partition is replaced. Without it the whole
        table is. (templated)
    :param mode: ``replace``; ``append`` (exactly once per run); ``merge``, with ``keys``: the
        columns that name a row; or a :class:`~tidegate.contract.Merge`, which says more than keys.
    :param gate: the suite, in the project's ``expectations/<gate>.json``. (templated)
    :param kwargs: Airflow's own arguments; and Spark's, which go to the provider's hook as they are
        (``conn_id``, ``conf``, ``driver_memory``, ``executor_memory``, ``num_executors``,
        ``packages``, …); and ``deferrable``: whether the task leaves its worker while its driver
        runs on a cluster (else as ``[operators] default_deferrable`` says).
    :raises SpecError: while the DAG file is read, if any of this cannot work.
    """

    kind: ClassVar[Kind]
    template_fields: Sequence[str] = ("job", "reads", "writes", "partition", "gate")
    operator_extra_links = (SparkUiLink(), GateReportLink())
    ui_color = "#d7ecf3"

    @listing(**SPARK, keys=None, deferrable=None, retries=RETRIES, retry_policy=RETRY_POLICY)
    def __init__(
        self,
        *,
        job: str | None,
        reads: dict[str, Any],
        writes: str | None,
        gate: str,
        partition: dict[str, str] | None = None,
        mode: Mode | Merge = "replace",
        **kwargs: Any,
    ) -> None:
        # Airflow has put in what default_args say of every argument that the signature lists.
        given = SPARK_ARGUMENTS & kwargs.keys()
        self.spark = {name: unsealed(kwargs.pop(name)) for name in given}
        for name, ours in (("retries", RETRIES), ("retry_policy", RETRY_POLICY)):
            kwargs.setdefault(name, ours)
        keys = kwargs.pop("keys", None)
        deferrable = kwargs.pop("deferrable", None)
        with unknown_told(kwargs, StageOperator):
            super().__init__(**kwargs)
        self.job = job
        self.writes = writes
        self.gate = gate
        self.partition: Any = partition
        if partition is None:
            self.partition = {}
        self.mode: Any = mode
        self.keys = keys
        self.deferrable = defers() if deferrable is None else bool(deferrable)
        self.reads = outputs(reads)
        self.spark_ui = ""
        self.publish = True
        """Whether what passes is published; a run from a terminal may end at the verdict."""
        self._run: StageRun | None = None
        if isinstance(writes, str) and writes:
            self.outlets = outlets_of(self._mapped, writes, self.outlets)
        if self._mapped is None:
            self.check()  # a copy: when its DAG file was read, and in execute, where it is told

    @classmethod
    def partial(cls, **kwargs: Any) -> StagePartial:  # type: ignore[override]
        """Return this stage with some arguments, to be mapped over others by ``expand``."""
        return StagePartial(super().partial, kwargs)

    @property
    def _mapped(self) -> Any:
        """The mapped task that this stage is a copy of, or None."""
        dag = self.get_dag()
        if dag is None:
            return None
        task = dag.task_dict.get(self.task_id)
        if getattr(task, "is_mapped", False):
            return task
        return None

    def checks(self, rendered: bool) -> Checks:
        """Return the checks of this task."""
        return Checks(self.task_id, self.kind, rendered)

    def check(self, *, rendered: bool = False) -> None:
        """Refuse what cannot work: while the DAG file is read, and again once it is rendered.

        :raises SpecError: what, where and what to do.
        """
        checks = self.checks(rendered)
        checks.reads(self.reads)
        checks.writes(self.writes)
        checks.mode(self.mode, self.partition, self.keys)
        checks.job(self.job)
        with checks.named():
            check_settings(self.spark)
            if self.dag is not None:
                others = [task for task in self.dag.tasks if task.task_id != self.task_id]
                written = {task.task_id: targets(task) for task in others}
                checks.sole_writer(self.writes, written)
                if not rendered:
                    refuse_a_group_of_rivals(self)
                self._check_files(checks)

    def _check_files(self, checks: Checks) -> None:
        if self.job and not checks.waits(self.job):
            self._project.job(self.job)
        if not checks.waits(self.gate):
            self._project.suite(self.gate)

    @property
    def _project(self) -> Project:
        return Project.of(self.dag.fileloc, project_dir())

    def execute(self, context: "Context") -> dict[str, Any]:
        """Run one attempt and tell its report.

        :return: ``read`` (what a later stage reads), ``rows``, ``verdict`` and ``report`` (a path).
        :raises TidegateError: the class of failure that the report names; ``DriverLost`` if there
            is no report.
        """
        with refusals_told(this_attempt(context)):
            spec, settings = self.asked(context)
            lets_go = self.deferrable and lasts(settings)
        run = self._run_of(spec, settings, context)
        if lets_go:
            wait_for(self, run.let_go())
        return self._hand_on(spec, self._followed(run, run.run), context)

    def resume(self, context: "Context", event: Any = None) -> dict[str, Any]:
        """Go on after the driver has ended, or where nobody could tell whether it has.

        :raises TidegateError: as :meth:`execute` does.
        """
        with refusals_told(this_attempt(context)):
            ticket, spec = left(this_attempt(context))
            self.reads = reads_of(self.reads, self.task_id)
            _, settings = self._opened(context)
        run = self._run_of(spec, settings, context)
        return self._hand_on(spec, self._followed(run, lambda: run.resume(ticket)), context)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        """Resume, or end the driver where the task has had its time."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            end_driver(self, this_attempt(context))
            raise
        except TaskDeferralError:
            # Something is wrong with the triggerer, and its log says what; the driver goes on.
            self.log.warning("the triggerer failed: this task waits for the driver itself")
            return self.resume(context)

    def _run_of(self, spec: StageSpec, settings: Settings, context: "Context") -> StageRun:
        listener = TaskLog(self, context)
        run = StageRun(spec, self._project.root, reports_store(), settings, listener)
        self._run = run
        return run

    def _followed(self, run: StageRun, to_its_end: Callable[[], Report]) -> Report:
        try:
            return to_its_end()
        finally:
            self.spark_ui = history_of(run.report) or self.spark_ui

    def asked(self, context: "Context") -> tuple[StageSpec, Settings]:
        """Check what the templates became; return what a driver is asked to do, and Spark's part.

        :raises SpecError: what, where and what to do.
        """
        self.reads = reads_of(self.reads, self.task_id)
        self.check(rendered=True)
        if self._mapped is not None:
            known = copies(self._mapped, context)
            refuse_rivals(self._mapped, known or [], context["ti"].map_index)
        reads, settings = self._opened(context)
        return self._spec(context, reads, dict(settings.conf)), settings

    def _opened(self, context: "Context") -> tuple[list[Read], Settings]:
        settings = part(self.render_template(self.spark, context))
        reads, passwords = self.opened()
        settings = replace(settings, conf={**settings.conf, **passwords})
        for value in settings.secrets:
            mask_secret(value)
        return reads, settings

    def opened(self) -> tuple[list[Read], dict[str, str]]:
        """Return the reads as the driver opens them, and the passwords that some of them need."""
        return connected(parse_read(name, value) for name, value in self.reads.items())

    def _hand_on(self, spec: StageSpec, report: Report, context: "Context") -> dict[str, Any]:
        result = result_of(spec, report)
        for outlet in self.outlets:
            if isinstance(outlet, Asset) and outlet.name == self.writes:
                context["outlet_events"][outlet].extra = {key: result[key] for key in EXTRA}
        return result

    def _rendered_params(self, context: "Context") -> dict[str, Any]:
        # What the DAG's author wrote may be a template; what somebody typed into the trigger form
        # must never be.
        authored = dict(self.params)
        rendered = {}
        for name, value in context["params"].items():
            if templated(value) and value == authored.get(name):
                rendered[name] = self.render_template(value, context)
            else:
                rendered[name] = value
        return rendered

    def _spec(self, context: "Context", reads: list[Read], conf: dict[str, str]) -> StageSpec:
        project = self._project
        attempt = this_attempt(context)
        merge = merge_of(self.mode, self.keys)
        mode: Mode = self.mode
        if isinstance(self.mode, Merge):
            mode = "merge"
        spec = StageSpec(
            kind=self.kind,
            attempt=attempt,
            reads=tuple(project.absolute(read) for read in reads),
            suite=project.suite(self.gate),
            params={**times(context), **self._rendered_params(context), **self.partition},
            folder=reports_store().files(attempt).uri,
            writes=self.writes,
            partition=self.partition,
            mode=mode,
            merge=merge,
            engine=getattr(self, "engine", None),
            stream=getattr(self, "stream", None),
            conf=conf,
            publish=self.publish,
        )
        if not self.job:
            return spec  # a gate has none
        job = project.job(self.job)
        return replace(spec, job=str(job), job_sha256=digest(job.read_bytes()))

    def on_kill(self) -> None:
        """End the driver and everything it started."""
        if self._run is not None:
            self._run.kill()
