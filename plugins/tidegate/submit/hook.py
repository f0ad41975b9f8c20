"""The Spark provider's hook, and every private name of it that is borrowed.

The provider turns a connection into a command line for five kinds of cluster; that part is used as
it is. Airflow and the provider are imported inside functions: while DAG files are read, they cost
seconds.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any

from tidegate.errors import SpecError

_NOT_ASKED = object()
"""Stands where the provider has a client of Kubernetes' that nobody here asks."""
Keep = Callable[[Popen[str], Iterator[str]], None]


class _Quieter(logging.LoggerAdapter[Any]):
    """A logger that tells at debug level what it is given at info level."""

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at debug level."""
        self.debug(msg, *args, **kwargs)


def open_hook(spark: Mapping[str, Any], name: str, argument: str, keep: Keep) -> Any:
    """Return the provider's hook for a stage.

    :param spark: the operator's Spark arguments, ``conn_id`` among them.
    :param argument: the driver's own: its spec file.
    :param keep: is given the process, as soon as there is one, and the lines of its output.
    :raises SpecError: if the provider refuses the connection or an argument.
    """
    from airflow.providers.apache.spark.hooks import spark_submit
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    # Borrowed (`kube_client`) because the hook refuses a Kubernetes master without another
    # provider, by which it would follow drivers; a submission does so itself. Without it, every
    # worker would need that provider, and every stage would load it.
    if not hasattr(spark_submit, "kube_client"):
        setattr(spark_submit, "kube_client", _NOT_ASKED)  # noqa: B010  # mypy: not its export

    class StageHook(SparkSubmitHook):
        """The provider's hook, whose output goes to a file instead of the task log."""

        @property
        def log(self) -> Any:
            """The provider's logger; its command line is hundreds of columns of little use."""
            return _Quieter(super().log, {})

        def _process_spark_submit_log(self, itr: Iterator[str]) -> None:
            # Borrowed because the provider logs every line of Spark; without it, a task log has
            # 800 lines and the process is known only once it has ended.
            # `_spark_exit_code` is what the provider itself sets for client mode on Kubernetes;
            # without it, the hook fails there for want of one.
            self._spark_exit_code = 0
            if self._submit_sp is not None:
                keep(self._submit_sp, itr)

    return _constructed(StageHook, **spark, name=name, application_args=[argument])


def _constructed(hook: type[Any], **arguments: Any) -> Any:
    from airflow.sdk.exceptions import AirflowException

    conn_id = arguments.get("conn_id", "spark_default")
    try:
        return hook(**arguments)
    except (AirflowException, RuntimeError, TypeError, ValueError) as refused:
        raise SpecError(
            f"the Spark provider refuses connection {conn_id!r} or this operator's Spark "
            f"arguments: {refused}"
        ) from refused


def look_up(spark: Mapping[str, Any]) -> Any:
    """Return the Airflow connection that an operator's Spark arguments name.

    The provider is not asked: its import takes seconds that a wrong connection need not cost.

    :raises SpecError: if there is no such connection.
    """
    from airflow.sdk.bases.hook import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    conn_id = spark.get("conn_id", "spark_default")
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        # The provider would submit to a silent default, `yarn`, instead. Airflow's own error says
        # no more, in a second traceback.
        raise SpecError(
            f"there is no Airflow connection {conn_id!r}. For Spark on this machine: "
            f"airflow connections add {conn_id} --conn-type spark --conn-host 'local[*]'; "
            "for a cluster use its master (spark://host:7077, yarn, k8s://…); "
            f"without Airflow's server: export AIRFLOW_CONN_{conn_id.upper()}="
            """'{"conn_type": "spark", "host": "local[*]"}'"""
        ) from None


def connection_of(hook: Any) -> Mapping[str, Any]:
    """Return what the hook made of its connection: ``master``, ``deploy_mode``, ``spark_binary``.

    Borrowed (``_connection``) because the hook resolves it in private; without it, a missing
    spark-submit is a ``FileNotFoundError`` without a word on what to install.
    """
    found: Mapping[str, Any] = hook._connection
    return found


def add_py_files(hook: Any, package: Path) -> None:
    """Have the driver's package travel with the application.

    Borrowed (``_py_files``) because the package is packed only when the machine has been checked,
    which needs the hook; without it, the driver is packed on machines that cannot run it.
    """
    files = [str(package)]
    if hook._py_files:
        files.append(hook._py_files)
    hook._py_files = ",".join(files)


def add_conf(hook: Any, conf: Mapping[str, str]) -> None:
    """Add conf to the command line.

    Borrowed (``_conf``) because what is added depends on the master, which only the hook knows;
    without it, the author's variables do not reach YARN's application master.
    """
    hook._conf = {**hook._conf, **conf}


def command_of(hook: Any, package: Path, launcher: Path, name: str) -> list[str]:
    """Return the command that the hook would submit, without the arguments of an attempt.

    Borrowed (``_build_spark_submit_command``, ``_name``, ``_application_args``) because a driver
    that outlives its task is not started by the task; without it, none does. The hook is left as it
    was.
    """
    before = (hook._py_files, hook._name, hook._application_args)
    add_py_files(hook, package)
    hook._name = name
    hook._application_args = []
    try:
        command: list[str] = hook._build_spark_submit_command(str(launcher))
    finally:
        hook._py_files, hook._name, hook._application_args = before
    return command


def run_hook(hook: Any, application: Path, **popen: Any) -> int:
    """Run spark-submit to its end; return its exit code.

    Borrowed (``_submit_sp``) because the hook raises for every exit code but 0 and hides which it
    was; without it, a report could not be told from a lost driver.

    :raises SpecError: if the provider started no process at all.
    """
    from airflow.sdk.exceptions import AirflowException

    try:
        hook.submit(str(application), **popen)
    except (AirflowException, RuntimeError, ValueError, OSError) as refused:
        # 6.3.4 raises the first two for an exit code that the report explains better.
        if hook._submit_sp is None:
            raise SpecError(f"spark-submit could not be started: {refused}") from refused
    return int(hook._submit_sp.returncode)
