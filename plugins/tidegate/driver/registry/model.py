"""One registered model in MLflow: its versions and its champion.

Its tags hold the marks by which attempts know of each other.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tidegate.driver.registry import flavours
from tidegate.driver.registry.trained import Trained
from tidegate.errors import ClusterUnavailable, PublishError, SpecError, TidegateError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
_MARK = "tidegate.attempt"
_SQLITE = "sqlite:///"
_FOLDER = "model"
_UNANSWERED = "API request to"
"""How MLflow tells of a tracking server that did not answer; it has no code for it."""
_REFUSALS: Mapping[str, type[TidegateError]] = {
    "INVALID_PARAMETER_VALUE": SpecError,
    "TEMPORARILY_UNAVAILABLE": ClusterUnavailable,
}


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    number: int
    run_id: str
    tags: Mapping[str, str]


def tracking_uri() -> str:
    """Return the MLflow store: ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path.cwd() / 'mlflow.db'}"


def connect() -> "MlflowClient":
    """Open the MLflow store.

    :raises SpecError: if MLflow is not installed, or ``MLFLOW_TRACKING_URI`` names no store that it
        can open.
    :raises ClusterUnavailable: if the store's database does not answer.
    """
    # A driver that trains a model has no business calling home; who wants to, says so in the
    # environment.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        with _opening():
            return MlflowClient(tracking_uri=tracking_uri())
    except ImportError as missing:
        # Only train stages need it, so it is no dependency; said as what to install.
        raise SpecError(
            f"a train stage needs MLflow ({missing}); install tidegate[train] where the driver "
            "runs",
            quote="",
        ) from missing


@contextmanager
def _opening() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as unusable:
        # Opening asks nothing of a tracking server yet: what fails is the address, not the network.
        raise SpecError(
            "MLFLOW_TRACKING_URI names no store that MLflow can open", quote=_first(unusable)
        ) from unusable
    except _database_errors() as away:
        # A database, though, is asked for its tables: it may answer later, so it is retried.
        raise ClusterUnavailable("MLflow's database does not answer", quote=_first(away)) from away


def _database_errors() -> tuple[type[Exception], ...]:
    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:  # a driver that talks to a tracking server needs no database of its own
        return ()
    return (SQLAlchemyError,)


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


@contextmanager
def answering(wish: str) -> Iterator[None]:
    """Turn MLflow's refusal to do ``wish`` into one of our errors.

    :raises PublishError: if the version is gone, or MLflow refuses for any reason not named below.
    :raises SpecError: if MLflow takes no such name or value.
    :raises ClusterUnavailable: if the store is locked, or its server does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as refusal:
        reason = _first(refusal)
        if refusal.error_code == "RESOURCE_DOES_NOT_EXIST":
            # What an attempt has staged is deleted by newer ones alone.
            raise PublishError(
                "fenced: a newer attempt of this stage removed what was staged", quote=reason
            ) from refusal
        error = _REFUSALS.get(refusal.error_code, PublishError)
        if reason.startswith(_UNANSWERED):
            error = ClusterUnavailable
        raise error(f"MLflow did not {wish}", quote=reason) from refusal


class Registry:
    """A registered model and its experiment, both created on first use and both named ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._client = connect()
        with answering(f"open the registered model {name!r}"):
            # The tracking side first: it alone takes a lock to create the tables of a new SQLite
            # store.
            self._experiment = self._open_experiment()
            self._open_model()

    @answering("tell the champion")
    def champion(self) -> Version | None:
        """Return the version that readers see, if any."""
        aliases = self._client.get_registered_model(self.name).aliases
        with _unless("RESOURCE_DOES_NOT_EXIST"):
            if CHAMPION in aliases:
                return _version(self._client.get_model_version(self.name, str(aliases[CHAMPION])))
        return None

    @answering("list the versions")
    def versions(self, tag: str, value: str) -> list[Version]:
        """Return the versions that carry a tag of that value, the newest first."""
        wanted = f"name = '{self.name}' AND tag.`{tag}` = '{value}'"
        found = self._client.search_model_versions(
            wanted, max_results=1000, order_by=["version_number DESC"]
        )
        return [_version(each) for each in found]

    @answering("start a run")
    def start_run(self, title: str, tags: Mapping[str, str]) -> str:
        """Start an MLflow run and return its id."""
        run = self._client.create_run(self._experiment, run_name=title, tags=dict(tags))
        return str(run.info.run_id)

    def log(self, run_id: str, trained: Trained) -> None:
        """Log metrics and model to a run, and finish it."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        with TemporaryDirectory(prefix="tidegate-model-") as scratch, answering("log the model"):
            metrics = [Metric(name, value, now, 0) for name, value in trained.metrics.items()]
            self._client.log_batch(run_id, metrics=metrics)
            folder = Path(scratch, _FOLDER)
            flavours.save(trained.model, folder, run_id)
            self._client.log_artifacts(run_id, str(folder), folder.name)
            self._client.set_terminated(run_id, "FINISHED")

    @answering("register the model")
    def register(self, run_id: str, tags: Mapping[str, str]) -> Version:
        """Make the model of a run a version that nobody reads yet."""
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{_FOLDER}"
        return _version(
            self._client.create_model_version(self.name, source, run_id, tags=dict(tags))
        )

    @answering("tag the version")
    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version that still exists."""
        for key, value in tags.items():
            self._client.set_model_version_tag(self.name, str(version.number), key, value)

    @answering("move the alias")
    def crown(self, version: Version) -> None:
        """Make ``version`` the champion: the one act that readers see. Fails if it was deleted."""
        self._client.set_registered_model_alias(self.name, CHAMPION, str(version.number))

    @answering("delete the version")
    def delete(self, version: Version) -> None:
        """Delete a version, if nobody did so before."""
        with _unless("RESOURCE_DOES_NOT_EXIST"):
            self._client.delete_model_version(self.name, str(version.number))

    @answering("mark the run as failed")
    def fail(self, run_id: str) -> None:
        """Mark a run as failed."""
        self._client.set_terminated(run_id, "FAILED")

    @answering("announce the attempt")
    def announce(self, stage: str, order: int, token: str) -> None:
        """Leave a mark that an attempt has begun.

        It outlives the attempt: a fence for all that are older. Every attempt writes a tag of its
        own, so that two which begin at once cannot overwrite each other's.
        """
        # First its own mark, then those of older ones: the other way round there is a moment with
        # no mark at all, in which an older attempt would take itself for the newest.
        self._client.set_registered_model_tag(self.name, f"{_MARK}.{stage}.{order}", token)
        older = [mark for mark in self._marks(stage) if mark < order]
        for mark in older:
            self._client.delete_registered_model_tag(self.name, f"{_MARK}.{stage}.{mark}")

    @answering("read the marks of the attempts")
    def newest(self, stage: str) -> tuple[int, str]:
        """Return order and token of the newest attempt that has begun."""
        return max(self._marks(stage).items(), default=(0, ""))

    def _marks(self, stage: str) -> dict[int, str]:
        tags = self._client.get_registered_model(self.name).tags
        prefix = f"{_MARK}.{stage}."
        marks = {}
        for key, token in tags.items():
            if key.startswith(prefix):
                marks[int(key.removeprefix(prefix))] = token
        return marks

    def _open_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.name)
        if found is None:
            with _unless("RESOURCE_ALREADY_EXISTS"):
                self._client.create_experiment(self.name, artifact_location=_artifacts())
            found = self._client.get_experiment_by_name(self.name)
        return str(found.experiment_id)

    def _open_model(self) -> None:
        with _unless("RESOURCE_ALREADY_EXISTS"):
            self._client.create_registered_model(self.name)


@contextmanager
def _unless(code: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as refusal:
        # The wish is granted already, by whoever was faster; any other refusal is one.
        if refusal.error_code != code:
            raise


def _artifacts() -> str | None:
    # Beside an embedded database, and absolute: MLflow's own default depends on who created the
    # experiment where.
    uri = tracking_uri()
    if not uri.startswith(_SQLITE):
        return None
    return (Path(uri.removeprefix(_SQLITE)).resolve().parent / "mlartifacts").as_uri()


def _version(entity: "ModelVersion") -> Version:
    return Version(int(entity.version), str(entity.run_id), dict(entity.tags))
