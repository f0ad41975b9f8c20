"""One attempt of one train stage, and what a reader of the registry sees of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from mlflow import MlflowClient
from pyspark.sql import DataFrame, SparkSession
from sklearn.linear_model import Ridge
from specs import Stepwise

from tidegate.contract import Attempt, Judgement, StageSpec, Suite, digest
from tidegate.driver.registry.trained import Trained
from tidegate.driver.targets.model import ModelTarget

NAME = "delays"
PASS, WARN, CLOSED = (Judgement(verdict=verdict) for verdict in ("pass", "warn", "closed"))
X = np.arange(10.0).reshape(-1, 1)


def ridge(slope: float = 2.0, **metrics: float) -> Trained:
    return Trained(Ridge(alpha=0.1).fit(X, slope * X.ravel()), metrics or {"rmse": 0.5})


class Trial:
    """One attempt of one stage; ``at`` is when it was submitted."""

    def __init__(self, spark: SparkSession, at: int = 1000, **changes: Any) -> None:
        attempt = Attempt(
            dag_id="nightly",
            task_id="train",
            run_id="r1",
            map_index=-1,
            try_number=1,
            generation=1,
            submitted_ms=at,
        )
        fields = {
            key: changes.pop(key) for key in list(changes) if key in Attempt.__dataclass_fields__
        }
        spec = StageSpec(
            kind="train",
            attempt=replace(attempt, **fields),
            reads=(),
            suite=Suite(name="delay_model", document={"name": "delay_model", "expectations": []}),
            params={},
            folder="unused",
            writes=NAME,
        )
        self.spec = replace(spec, **changes)
        fingerprint = digest(["work", self.spec.attempt.run_id])
        self.target = Stepwise(ModelTarget(spark, self.spec, fingerprint))

    def run(self, trained: Trained | None = None, judgement: Judgement = PASS) -> Any:
        assert self.begin() is None
        self.stage(trained)
        return (
            self.target.hold(judgement) if judgement is CLOSED else self.target.publish(judgement)
        )

    def begin(self) -> Any:
        return self.target.begin()

    def stage(self, trained: Trained | None = None) -> DataFrame:
        return self.target.stage(trained or ridge()).frame


def champion(client: MlflowClient) -> int | None:
    number = client.get_registered_model(NAME).aliases.get("champion")
    return None if number is None else int(number)


def versions(client: MlflowClient) -> list[int]:
    return sorted(int(found.version) for found in client.search_model_versions(f"name = '{NAME}'"))


def all_of(client: MlflowClient, number: int) -> SimpleNamespace:
    """What a reader can see of a version: the registry's entry and every byte of its files."""
    found = client.get_model_version(NAME, str(number))
    folder = Path(found.source.removeprefix("file://"))
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert files
    return SimpleNamespace(entry=dict(found), files=files)


@contextmanager
def breaking(database: Path, *triggers: str) -> Iterator[None]:
    """Let the database itself act up: each trigger is what comes between CREATE TRIGGER and END."""
    with sqlite3.connect(database) as link:
        for number, trigger in enumerate(triggers):
            link.execute(f"CREATE TRIGGER broken_{number} {trigger}; END")
    yield
    with sqlite3.connect(database) as link:
        for number in range(len(triggers)):
            link.execute(f"DROP TRIGGER broken_{number}")


NO_ALIAS = (
    "BEFORE INSERT ON registered_model_aliases BEGIN SELECT RAISE(ABORT, 'disk gone')",
    "BEFORE UPDATE ON registered_model_aliases BEGIN SELECT RAISE(ABORT, 'disk gone')",
)
