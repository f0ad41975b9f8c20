"""A registered MLflow model as a stage's target: a version is staged and judged; then the alias moves."""

from collections.abc import Mapping
from contextlib import suppress
from typing import cast
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Judgement, Output, StageSpec, Verdict, digest
from tidegate.driver import flavours
from tidegate.driver.kinds.train import Trained
from tidegate.driver.registry import CHAMPION, Registry, Version, answering, connect, tracking_uri
from tidegate.driver.target import Observe, Staged
from tidegate.errors import DataError, PublishError, SpecError, TidegateError

_STAGE = "tidegate.stage_key"
_ORDER = "tidegate.submitted_ms"
_TRY = "tidegate.try"
_FINGERPRINT = "tidegate.fingerprint"
_VERDICT = "tidegate.verdict"
_PREVIOUS = "tidegate.previous"
_PUBLISHED = "tidegate.published"
_PASSING = ("pass", "warn")


def preload() -> None:
    """Import what a train stage needs of MLflow: seconds, well spent in a thread while Spark starts."""
    with suppress(TidegateError):  # the stage will run into the same, and say so
        connect()
        import mlflow.models
        import mlflow.sklearn
        import mlflow.spark  # noqa: F401


def load_model(spark: SparkSession, name: str, version: int) -> object:
    """Return a registered model, of the class its train job returned; a Spark model lives in ``spark``.

    :raises DataError: if the registry has no such version.
    :raises SpecError: if MLflow is not installed.
    """
    client = connect()
    from mlflow.artifacts import download_artifacts

    try:
        with answering(f"find version {version} of model {name!r}"):
            uri = client.get_model_version_download_uri(name, str(version))
    except PublishError as gone:
        raise DataError(
            f"model {name!r} has no version {version}; run the stage that trains it again"
        ) from gone
    with answering(f"download version {version} of model {name!r}"):
        return flavours.load(download_artifacts(artifact_uri=uri, tracking_uri=tracking_uri()))


def champion_version(name: str) -> int:
    """Return the version of a registered model that its alias ``champion`` names now.

    :raises DataError: if the registry has no such model, or no champion of it.
    """
    client = connect()
    try:
        with answering(f"find the champion of model {name!r}"):
            return int(client.get_model_version_by_alias(name, CHAMPION).version)
    except PublishError as gone:
        raise DataError(
            f"model {name!r} has no champion; has the stage that trains it ever published?"
        ) from gone


class ModelTarget:
    """Stages a model as a new version and publishes it by moving the alias ``champion``.

    The staged version is the fencing token: a newer attempt deletes it, and no alias moves to a deleted version.
    """

    def __init__(self, spark: SparkSession, spec: StageSpec, fingerprint: str) -> None:
        if not spec.writes:
            raise SpecError(
                "a train stage names in 'writes' the registered model that it publishes"
            )
        self._spark = spark
        self._spec = spec
        self._fingerprint = fingerprint
        self._stage = digest(spec.stage)[:16]
        # Two drivers of one attempt (a cluster manager may restart one) differ by this alone; the last to begin wins.
        self._token = uuid4().hex
        self._run_id: str | None = None
        self._version: Version | None = None
        self._registry = Registry(spec.writes)

    def begin(self) -> Output | None:
        """Fence off older attempts; publish what an earlier try of this run left judged and passed.

        :raises PublishError: if a newer attempt has begun.
        """
        self._registry.announce(self._stage, self._spec.attempt.submitted_ms, self._token)
        self._require_newest()
        left = self._registry.versions(_STAGE, self._stage)
        self._require_none_newer(left)
        champion = self._champion()
        mine = [version for version in left if version.tags.get(_FINGERPRINT) == self._fingerprint]
        published = [version for version in left if _is_published(version, champion)]
        done = next((version for version in mine if version in published), None)
        ready = (
            None
            if done
            else next((version for version in mine if version.tags.get(_VERDICT) in _PASSING), None)
        )
        self._delete([version for version in left if version not in (*published, ready)], champion)
        if done:
            return self._already(done, champion)
        return (
            self._move(ready, f"judged by try {ready.tags.get(_TRY)}; no work was done again")
            if ready
            else None
        )

    def stage(self, output: object, observe: Observe) -> Staged:
        """Log a trained model and register it as a version; its frame is one row of metrics, judged as it is.

        :raises PublishError: if a newer attempt has begun.
        :raises SpecError: if the model cannot be saved.
        """
        if not isinstance(output, Trained):
            raise SpecError(
                f"a registered model is written by a train stage, not from a {type(output).__name__}"
            )
        self._require_newest()
        tags = self._tags()
        self._run_id = self._registry.start_run(
            f"{self._spec.attempt.task_id} {self._spec.attempt.run_id}", tags
        )
        self._registry.log(self._run_id, output)
        self._version = self._registry.register(self._run_id, tags)
        return Staged(frame=_frame(self._spark, output.metrics), rows=1)

    def publish(self, judgement: Judgement) -> Output:
        """Move the alias ``champion`` to the staged version.

        :raises PublishError: if a newer attempt has begun.
        """
        return self._move(self._judged(judgement), None)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the version registered, tagged with its verdict; the champion stays.

        :raises PublishError: if a newer attempt has begun.
        """
        version = self._judged(judgement)
        champion = self._champion()
        return Output(
            target=self._registry.name,
            version=version.number,
            previous=champion.number if champion else None,
            held_at=f"models:/{self._registry.name}/{version.number}",
        )

    def discard(self) -> None:
        """Delete what was staged and mark its MLflow run as failed, if no verdict was reached."""
        with suppress(
            TidegateError
        ):  # the stage has failed already, and the next attempt deletes what is left
            if self._version:
                self._registry.delete(self._version)
            if self._run_id:
                self._registry.fail(self._run_id)
        self._version = self._run_id = None

    def _champion(self) -> Version | None:
        champion = self._registry.champion()
        if champion and _STAGE in champion.tags and _PUBLISHED not in champion.tags:
            # Its driver was killed between the two. Untagged, it would fall to a fence once it is champion no more.
            self._registry.tag(champion, {_PUBLISHED: "true"})
        return champion

    def _delete(self, versions: list[Version], champion: Version | None) -> None:
        for version in versions:
            self._registry.delete(version)
        if versions and champion and self._registry.champion() is None:
            # An older attempt moved the alias in the very moment its version was deleted: both are undone.
            self._registry.crown(champion)

    def _judged(self, judgement: Judgement) -> Version:
        if self._version is None:
            raise PublishError(
                "nothing is staged: a version is published or held once, after stage()"
            )
        version = self._version
        self._require_newest()
        # From here on a retry may publish this version without training again, so no discard() may take it away.
        self._version = self._run_id = None
        self._registry.tag(version, {_VERDICT: judgement.verdict})
        return version

    def _move(self, version: Version, note: str | None) -> Output:
        before = self._champion()
        previous = before.number if before else None
        self._registry.tag(version, {_PREVIOUS: str(previous or "")})
        self._require_newest()
        self._registry.crown(version)
        with suppress(
            TidegateError
        ):  # readers see it already, and the next attempt repairs the tag
            self._registry.tag(version, {_PUBLISHED: "true"})
        return self._output(version, previous, note)

    def _output(self, version: Version, previous: int | None, note: str | None) -> Output:
        verdict = cast("Verdict | None", version.tags.get(_VERDICT))
        name = self._registry.name
        return Output(
            target=name, version=version.number, previous=previous, verdict=verdict, note=note
        )

    def _already(self, done: Version, champion: Version | None) -> Output:
        note = f"already published by try {done.tags.get(_TRY)}"
        if champion and champion.number != done.number:
            note += f"; version {champion.number} has been published since"
        previous = done.tags.get(_PREVIOUS)
        number = int(previous) if previous else None
        return self._output(done, number, note)

    def _require_newest(self) -> None:
        order, token = self._registry.newest(self._stage)
        if token == self._token:
            return
        if self._version:
            self._registry.delete(
                self._version
            )  # staged after the newer attempt looked for what to delete
        raise PublishError(_fenced(self._spec, order))

    def _require_none_newer(self, left: list[Version]) -> None:
        newest = max((int(version.tags.get(_ORDER, "0")) for version in left), default=0)
        if newest > self._spec.attempt.submitted_ms:
            raise PublishError(_fenced(self._spec, newest))

    def _tags(self) -> dict[str, str]:
        attempt, suite = self._spec.attempt, self._spec.suite
        return {
            "tidegate.stage": self._spec.stage,
            _STAGE: self._stage,
            "tidegate.run_id": attempt.run_id,
            _TRY: str(attempt.try_number),
            _ORDER: str(attempt.submitted_ms),
            "tidegate.suite": suite.name,
            "tidegate.suite_sha256": suite.sha256,
            _FINGERPRINT: self._fingerprint,
        }


def _is_published(version: Version, champion: Version | None) -> bool:
    return _PUBLISHED in version.tags or (
        champion is not None and version.number == champion.number
    )


def _fenced(spec: StageSpec, newest: int) -> str:
    own = spec.attempt.submitted_ms
    return (
        f"fenced: a newer attempt of stage {spec.stage} has begun (submitted at {newest} ms, this one at {own} ms); "
        "this one publishes nothing, look at the newer one"
    )


def _frame(spark: SparkSession, metrics: Mapping[str, float]) -> DataFrame:
    # Spelled as text, because py4j cannot carry NaN; made by the JVM alone, because Python workers start slowly.
    return spark.range(1).select(
        *(F.lit(str(value)).cast("double").alias(name) for name, value in metrics.items())
    )
