"""What all stages have in common on the Airflow side: check at parse, submit, tell the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.log import mask_secret

from tidegate.contract import Kind, Mode, Report, StageSpec, digest, parse_read
from tidegate.errors import SpecError
from tidegate.links import GateReportLink, SparkUiLink
from tidegate.operators.attempt import this_attempt, times
from tidegate.operators.checks import Checks, templated
from tidegate.operators.result import EXTRA, result_of
from tidegate.operators.run import StageRun
from tidegate.project import Project
from tidegate.retry import RETRIES, RETRY_POLICY
from tidegate.settings import history_of, project_dir, reports_store
from tidegate.submit.arguments import SPARK_ARGUMENTS
from tidegate.submit.secrets import check_settings, part

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
    :param mode: ``replace``, or ``append`` (exactly once per run).
    :param gate: the suite, in the project's ``expectations/<gate>.json``. (templated)
    :param kwargs: Airflow's own arguments; and Spark's, which go to the provider's hook as they are
        (``conn_id``, ``conf``, ``driver_memory``, ``executor_memory``, ``num_executors``,
        ``packages``, …).
    :raises SpecError: while the DAG file is read, if any of this cannot work.
    """

    kind: ClassVar[Kind]
    template_fields: Sequence[str] = ("job", "reads", "writes", "partition", "gate")
    operator_extra_links = (SparkUiLink(), GateReportLink())
    ui_color = "#d7ecf3"

    def __init__(
        self,
        *,
        job: str | None,
        reads: dict[str, Any],
        writes: str | None,
        gate: str,
        partition: dict[str, str] | None = None,
        mode: Mode = "replace",
        **kwargs: Any,
    ) -> None:
        defaults = kwargs.get("default_args") or {}
        self.spark = {name: defaults[name] for name in SPARK_ARGUMENTS & defaults.keys()}
        self.spark |= {name: kwargs.pop(name) for name in SPARK_ARGUMENTS & kwargs.keys()}
        for name, ours in (("retries", RETRIES), ("retry_policy", RETRY_POLICY)):
            if name not in defaults:
                kwargs.setdefault(name, ours)
        if isinstance(writes, str) and writes and not templated(writes):
            kwargs["outlets"] = [*(kwargs.get("outlets") or []), Asset(writes)]
        super().__init__(**kwargs)
        self.job = job
        self.writes = writes
        self.gate = gate
        self.partition = partition or {}
        self.mode = mode
        self.reads = _outputs(reads)
        self.spark_ui = ""
        self._run: StageRun | None = None
        self.check()

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
        checks.mode(self.mode, self.partition)
        checks.job(self.job)
        try:
            check_settings(self.spark)
            if self.dag is not None:
                checks.sole_writer(self.writes, self.dag.tasks)
                self._check_files(checks)
        except SpecError as wrong:
            if str(wrong).startswith("task "):
                raise
            raise SpecError(f"task {self.task_id!r}: {wrong}") from wrong

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
        self.check(rendered=True)
        settings = part(self.render_template(self.spark, context))
        for value in settings.secrets:
            mask_secret(value)
        spec = self._spec(context, dict(settings.conf))
        listener = TaskLog(self, context)
        self._run = StageRun(spec, self._project.root, reports_store(), settings, listener)
        try:
            report = self._run.run()
        finally:
            self.spark_ui = history_of(self._run.report) or self.spark_ui
        return self._hand_on(spec, report, context)

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

    def _spec(self, context: "Context", conf: dict[str, str]) -> StageSpec:
        project = self._project
        attempt = this_attempt(context)
        reads = [parse_read(name, _read_of(value)) for name, value in self.reads.items()]
        spec = StageSpec(
            kind=self.kind,
            attempt=attempt,
            reads=tuple(project.absolute(read) for read in reads),
            suite=project.suite(self.gate),
            params={**times(context), **self._rendered_params(context), **self.partition},
            folder=reports_store().files(attempt).uri,
            writes=self.writes,
            partition=self.partition,
            mode=self.mode,
            engine=getattr(self, "engine", None),
            conf=conf,
        )
        if not self.job:
            return spec  # a gate has none
        job = project.job(self.job)
        return replace(spec, job=str(job), job_sha256=digest(job.read_bytes()))

    def on_kill(self) -> None:
        """End the driver and everything it started."""
        if self._run is not None:
            self._run.kill()


class TaskLog:
    """Takes what the driver tells: to the task log, and the address of Spark's UI to its link."""

    def __init__(self, operator: StageOperator, context: "Context") -> None:
        self._operator = operator
        self._context = context

    def say(self, text: str) -> None:
        """Log one line."""
        self._operator.log.info("%s", text)

    def spark_ui(self, address: str) -> None:
        """Keep the address for the task's link."""
        self._operator.spark_ui = address
        self._context["ti"].xcom_push(key=SparkUiLink().xcom_key, value=address)
        self._operator.log.info("ui %s", address)


def _outputs(reads: Any) -> Any:
    """Return ``reads`` with each operator's output in its place.

    An output is a reference that Airflow resolves in ``execute`` and draws the arrow for. What is
    no mapping is left for the check to refuse.
    """
    if not isinstance(reads, Mapping):
        return reads
    return {name: getattr(value, "output", value) for name, value in reads.items()}


def _read_of(value: object) -> object:
    """Return what a stage's result says can be read of it; anything else as it is."""
    if isinstance(value, Mapping) and "read" in value:
        return value["read"]
    return value
