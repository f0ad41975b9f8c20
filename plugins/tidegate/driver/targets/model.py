"""A registered MLflow model as a target: a version is staged and judged; then the alias moves."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tidegate.contract import Judgement, Outcome, Output, StageSpec, digest
from tidegate.driver.gate import Gate
from tidegate.driver.registry.model import Registry, Version
from tidegate.driver.registry.trained import Trained
from tidegate.driver.targets.provenance import VERDICT, Provenance
from tidegate.errors import PublishError, SpecError, TidegateError

_STAGE = "tidegate.stage_key"
"""The digest of the stage's key: MLflow searches tags by short values."""
_PREVIOUS = "tidegate.previous"
_PUBLISHED = "tidegate.published"


@dataclass(frozen=True)
class Line:
    """The versions of one stage in one registered model, in which attempts know of each other.

    :param token: two drivers of one attempt (a cluster manager may restart one) differ by this
        alone; the last to begin wins.
    """

    registry: Registry
    provenance: Provenance
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def stage(self) -> str:
        """The stage's key, shortened."""
        return digest(self.provenance.key)[:16]

    def tags(self) -> dict[str, str]:
        """Return what a version and its MLflow run say of their origin."""
        return {**self.provenance.as_summary(), _STAGE: self.stage}

    def require_newest(self, staged: Version | None = None) -> None:
        """Make sure that no newer attempt has begun.

        :param staged: a version to delete if one has: it was registered after the newer attempt
            looked for what to delete.
        :raises PublishError: if one has.
        """
        order, token = self.registry.newest(self.stage)
        if token == self.token:
            return
        if staged:
            self.registry.delete(staged)
        raise PublishError(self._fenced(order))

    def require_none_newer(self, left: Sequence[Version]) -> None:
        """Make sure that no newer attempt has left a version.

        :raises PublishError: if one has.
        """
        origins = filter(None, map(_origin, left))
        newest = max((origin.submitted_ms for origin in origins), default=0)
        if newest > self.provenance.submitted_ms:
            raise PublishError(self._fenced(newest))

    def champion(self) -> Version | None:
        """Return the version that readers see; mend its tags if its driver was killed too early."""
        champion = self.registry.champion()
        if champion and _STAGE in champion.tags and _PUBLISHED not in champion.tags:
            # Its driver was killed between the two. Untagged, it would fall to a fence once it is
            # champion no more.
            self.registry.tag(champion, {_PUBLISHED: "true"})
        return champion

    def move(self, version: Version, judged: Provenance, note: str | None) -> Output:
        """Move the alias ``champion``: the one act that readers see.

        :raises PublishError: if a newer attempt has begun.
        """
        previous = _number(self.champion())
        # Before the alias moves: afterwards nobody could say which version it pointed to.
        self.registry.tag(version, {_PREVIOUS: str(previous or "")})
        # MLflow has no compare-and-set: asked as late as can be, and the version is deleted by
        # whoever is newer, so that an alias cannot move to it.
        self.require_newest()
        self.registry.crown(version)
        # After the alias, never before: a version tagged as published that no alias ever pointed to
        # would be kept by every fence, and taken for work that is done.
        with suppress(TidegateError):  # readers see it already; the next attempt mends the tag
            self.registry.tag(version, {_PUBLISHED: "true"})
        return self.output(version, previous, judged, note)

    def output(
        self, version: Version, previous: int | None, judged: Provenance, note: str | None
    ) -> Output:
        """Return what became of a version."""
        return Output(
            target=self.registry.name,
            version=version.number,
            previous=previous,
            verdict=judged.verdict,
            note=note,
        )

    def _fenced(self, newest: int) -> str:
        mine = self.provenance
        return (
            f"fenced: a newer attempt of stage {mine.key} has begun (submitted at {newest} ms, "
            f"this one at {mine.submitted_ms} ms); this one publishes nothing, look at the newer"
        )


class ModelTarget:
    """Stages a model as a new version and publishes it by moving the alias ``champion``.

    The staged version is the fencing token: a newer attempt deletes it, and no alias moves to a
    deleted version.

    :raises SpecError: if the stage names no model, or the registry cannot be opened.
    """

    def __init__(self, spark: SparkSession, spec: StageSpec, fingerprint: str) -> None:
        if not spec.writes:
            raise SpecError(
                "a train stage names in 'writes' the registered model that it publishes"
            )
        self._spark = spark
        self._title = f"{spec.attempt.task_id} {spec.attempt.run_id}"
        self._line = Line(Registry(spec.writes), Provenance.of(spec, fingerprint))

    def begin(self) -> "FencedModel | Output":
        """Fence off older attempts; publish what an earlier try of this run left judged and passed.

        :raises PublishError: if a newer attempt has begun.
        """
        line = self._line
        # Announce first and look second, as on a table: of two that begin together, one sees.
        line.registry.announce(line.stage, line.provenance.submitted_ms, line.token)
        line.require_newest()
        left = line.registry.versions(_STAGE, line.stage)
        line.require_none_newer(left)
        champion = line.champion()
        published = [version for version in left if _is_published(version, champion)]
        mine = list(filter(self._is_mine, left))
        done = [version for version in mine if version in published]
        if done:
            self._delete_others(left, published, champion)
            return self._already(done[0], champion)
        ready = list(filter(_is_passed, mine))[:1]
        # Deleting is the fence: no alias moves to a deleted version. What readers have seen stays,
        # for them to go back to.
        self._delete_others(left, [*published, *ready], champion)
        if ready:
            return self._resume(ready[0])
        return FencedModel(self._spark, line, self._title)

    def _is_mine(self, version: Version) -> bool:
        found = _origin(version)
        return found is not None and found.fingerprint == self._line.provenance.fingerprint

    def _delete_others(
        self, left: Sequence[Version], kept: Sequence[Version], champion: Version | None
    ) -> None:
        registry = self._line.registry
        others = [version for version in left if version not in kept]
        for version in others:
            registry.delete(version)
        if others and champion and registry.champion() is None:
            # An older attempt moved the alias in the very moment its version was deleted: both are
            # undone.
            registry.crown(champion)

    def _resume(self, ready: Version) -> Output:
        judged = _origin(ready) or self._line.provenance
        note = f"judged by try {judged.try_number}; no work was done again"
        return self._line.move(ready, judged, note)

    def _already(self, done: Version, champion: Version | None) -> Output:
        judged = _origin(done) or self._line.provenance
        note = f"already published by try {judged.try_number}"
        if champion and champion.number != done.number:
            note += f"; version {champion.number} has been published since"
        previous = int(done.tags.get(_PREVIOUS) or 0) or None
        return self._line.output(done, previous, judged, note)


@dataclass(frozen=True)
class FencedModel:
    """A registered model whose older attempts of this stage cannot publish any more."""

    spark: SparkSession
    line: Line
    title: str

    def write_aside(self, output: object, gate: Gate) -> "StagedModel":
        """Log a trained model and register it as a version that nobody reads.

        Its frame is one row of metrics, judged as it is.

        :raises PublishError: if a newer attempt has begun.
        :raises SpecError: if the output is no trained model, or it cannot be saved.
        """
        if not isinstance(output, Trained):
            given = type(output).__name__
            raise SpecError(f"a registered model is written by a train stage, not from a {given}")
        line = self.line
        line.require_newest()
        tags = line.tags()
        run_id = line.registry.start_run(self.title, tags)
        with ExitStack() as undo:
            undo.callback(_fail, line.registry, run_id, None)
            line.registry.log(run_id, output)
            version = line.registry.register(run_id, tags)
            undo.pop_all()
        return StagedModel(line, version, run_id, _frame(self.spark, output.metrics))

    def discard(self) -> None:
        """Do nothing: no version is registered yet."""


@dataclass(frozen=True)
class StagedModel:
    """A version that nobody reads."""

    line: Line
    version: Version
    run_id: str
    frame: DataFrame
    rows: int = 1
    facts: None = None
    let_through: Outcome = "published"

    def publish(self, judgement: Judgement) -> Output:
        """Move the alias ``champion`` to the version.

        :raises PublishError: if a newer attempt has begun.
        """
        judged = self._judge(judgement)
        return self.line.move(self.version, judged, None)

    def hold(self, judgement: Judgement) -> Output:
        """Leave the version registered, tagged with its verdict; the champion stays.

        :raises PublishError: if a newer attempt has begun.
        """
        self._judge(judgement)
        name = self.line.registry.name
        return Output(
            target=name,
            version=self.version.number,
            previous=_number(self.line.champion()),
            held_at=f"models:/{name}/{self.version.number}",
        )

    def discard(self) -> None:
        """Delete the version and mark its MLflow run as failed, where judging it failed."""
        _fail(self.line.registry, self.run_id, self.version)

    def _judge(self, judgement: Judgement) -> Provenance:
        # The verdict is tagged before the alias moves: killed between the two, the attempt leaves
        # a version that its retry finds judged and publishes without training again.
        self.line.require_newest(self.version)
        self.line.registry.tag(self.version, {VERDICT: judgement.verdict})
        return self.line.provenance.judged(judgement.verdict)


def _fail(registry: Registry, run_id: str, version: Version | None) -> None:
    with suppress(TidegateError):  # the stage has failed; the next attempt deletes what is left
        if version:
            registry.delete(version)
        registry.fail(run_id)


def _origin(version: Version) -> Provenance | None:
    return Provenance.read(version.tags)


def _is_passed(version: Version) -> bool:
    found = _origin(version)
    return found is not None and found.passed


def _is_published(version: Version, champion: Version | None) -> bool:
    return _PUBLISHED in version.tags or version.number == _number(champion)


def _number(version: Version | None) -> int | None:
    if version is None:
        return None
    return version.number


def _frame(spark: SparkSession, metrics: Mapping[str, float]) -> DataFrame:
    # Spelled as text, because py4j cannot carry NaN; made by the JVM alone, because Python workers
    # start slowly.
    columns = [F.lit(str(value)).cast("double").alias(name) for name, value in metrics.items()]
    return spark.range(1).select(*columns)
