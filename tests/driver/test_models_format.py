"""How a scikit-learn model is stored: by skops where it serves, and then nothing of it can run."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tests.driver.attempts import X

from tidegate.driver.registry import flavours
from tidegate.errors import DataError, SpecError

pytest.importorskip("skops", reason="skops is not installed: `make setup` brings it")

Y = X.ravel() * 3
DENIED = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"


class Homemade(Ridge):
    """A class that skops does not know."""


def doubled(x: Any) -> Any:
    return x * 2


PLAIN = {
    "one estimator": Ridge(),
    "a pipeline": make_pipeline(StandardScaler(), Ridge()),
    "a function of NumPy's": make_pipeline(FunctionTransformer(np.log1p), Ridge()),
}
PICKLED = {
    "trees": RandomForestRegressor(2),  # skops does not trust them: their nodes are not checked
    "a function of the job's": make_pipeline(FunctionTransformer(doubled), Ridge()),
    "a class of the job's": Homemade(),
}


def saved(model: Any, folder: Path) -> Path:
    flavours.save(model.fit(X, Y), folder, "0" * 32)
    return folder


def rewritten(folder: Path, before: str, after: str) -> None:
    """Have the stored model name another class, as whoever can write the registry may."""
    file = folder / "model.skops"
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = parts["schema.json"].decode()
    assert before in schema
    parts["schema.json"] = schema.replace(before, after).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("name", PLAIN)
def test_what_can_be_stored_without_code_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = saved(PLAIN[name], tmp_path / "model")
    assert (folder / "model.skops").is_file()
    assert not list(folder.rglob("*.pkl"))
    assert "skops==" in (folder / "requirements.txt").read_text()
    monkeypatch.setenv(DENIED, "false")
    loaded: Any = flavours.load(str(folder))
    assert type(loaded) is type(PLAIN[name])
    assert np.array_equal(loaded.predict(X), PLAIN[name].predict(X))


@pytest.mark.parametrize("name", PICKLED)
def test_what_cannot_is_a_pickle_which_an_operator_can_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = saved(PICKLED[name], tmp_path / "model")
    assert (folder / "model.pkl").is_file()
    loaded: Any = flavours.load(str(folder))
    assert np.array_equal(loaded.predict(X), PICKLED[name].predict(X))
    monkeypatch.setenv(DENIED, "false")
    with pytest.raises(SpecError, match=f"is a pickle, and {DENIED} is false"):
        flavours.load(str(folder))


def test_a_class_that_the_model_asks_to_be_trusted_is_not(tmp_path: Path) -> None:
    folder = saved(Ridge(), tmp_path / "model")
    schema = json.loads(zipfile.ZipFile(folder / "model.skops").read("schema.json"))
    assert schema["__class__"] == "Ridge"
    rewritten(folder, '"Ridge"', '"Homemade"')
    rewritten(folder, '"sklearn.linear_model._ridge"', f'"{__name__}"')
    about = folder / "MLmodel"
    text = about.read_text()
    assert "skops_trusted_types" in text
    trusted = f"skops_trusted_types:\n    - {__name__}.Homemade"
    about.write_text(text.replace("skops_trusted_types: null", trusted))
    assert trusted in about.read_text()
    with pytest.raises(DataError, match="Untrusted types"):
        flavours.load(str(folder))


@pytest.mark.parametrize("damage", [b"", b"PK", b"not a zip"])
def test_a_damaged_model_is_a_data_error(tmp_path: Path, damage: bytes) -> None:
    folder = saved(Ridge(), tmp_path / "model")
    (folder / "model.skops").write_bytes(damage)
    with pytest.raises(DataError, match=r"model\.skops cannot be trusted"):
        flavours.load(str(folder))


def test_without_skops_a_model_is_stored_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = saved(Ridge(), tmp_path / "stored")
    for name in list(sys.modules):
        if name.partition(".")[0] == "skops":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skops", None)
    assert (saved(Ridge(), tmp_path / "model") / "model.pkl").is_file()
    with pytest.raises(SpecError, match=r"install tidegate\[train\]"):
        flavours.load(str(stored))
