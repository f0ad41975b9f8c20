"""A real MLflow store on SQLite, fresh for every test."""

from pathlib import Path
from shutil import copy

import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables made once: creating them takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def mlflow_db(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of that store as ``mlflow.db`` in a current folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Path(copy(store, tmp_path))


@pytest.fixture
def client(mlflow_db: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{mlflow_db}")
