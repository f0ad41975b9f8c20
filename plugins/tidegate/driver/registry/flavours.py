"""A fitted model as an MLflow model folder, and back: the ``spark`` and ``sklearn`` flavours."""

import pickle
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tidegate.driver.registry import skops_format
from tidegate.errors import SpecError

_CLASS = "tidegate.class"


def save(model: object, folder: Path, run_id: str) -> None:
    """Write ``model`` into ``folder``, which must not exist yet, as an MLflow model of ``run_id``.

    :raises SpecError: if the model, or a stage of it, cannot be saved.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model
    from pyspark.ml import Model as SparkModel

    about = Model(artifact_path=folder.name, run_id=run_id, metadata={_CLASS: _class_of(model)})
    try:
        if isinstance(model, SparkModel):
            _save_spark(model, folder, about)
        else:
            _save_sklearn(model, folder, about)
    except (MlflowException, ValueError, TypeError, pickle.PicklingError) as refused:
        # What pickle and MLflow refuse, the job built: it is changed in the job, not by a retry.
        raise SpecError(
            f"the fitted {type(model).__name__} cannot be saved",
            quote=f"{refused}; every stage of a Spark pipeline must be MLWritable, and a "
            "scikit-learn model must pickle",
        ) from refused


def load(folder: str) -> object:
    """Return the model that :func:`save` wrote, of the class it had.

    :raises SpecError: if it is a pickle, and the environment forbids to read one.
    :raises DataError: if it is no pickle, and holds what must not be made by reading it.
    """
    import mlflow.spark
    from mlflow.models import Model

    about = Model.load(folder)
    if "spark" not in about.flavors:
        return _load_sklearn(folder, about.flavors.get("sklearn", {}))
    pipeline: object = mlflow.spark.load_model(folder)
    # MLflow wraps any other Spark model into a pipeline of one stage; the next job gets what the
    # first one returned.
    saved = (about.metadata or {}).get(_CLASS)
    stages = getattr(pipeline, "stages", [])
    if len(stages) == 1 and saved == _class_of(stages[0]):
        first: object = stages[0]
        return first
    return pipeline


def _load_sklearn(folder: str, flavour: Mapping[str, Any]) -> object:
    import mlflow.sklearn
    from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION

    if flavour.get("serialization_format") == skops_format.NAME:
        return skops_format.read(folder)
    if not MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get():
        raise SpecError(
            f"the model is a pickle, and {MLFLOW_ALLOW_PICKLE_DESERIALIZATION.name} is false: "
            "reading it would run what it says; docs/security.md names the models that are none"
        )
    model: object = mlflow.sklearn.load_model(folder)
    return model


def _save_spark(model: object, folder: Path, about: object) -> None:
    import mlflow.spark

    mlflow.spark.save_model(
        model, str(folder), mlflow_model=about, pip_requirements=_pins("pyspark", "numpy")
    )


def _save_sklearn(model: object, folder: Path, about: object) -> None:
    import mlflow.sklearn

    written = "cloudpickle"
    if skops_format.serves(model):
        written = skops_format.NAME
    else:
        _pickle_jobs_by_value()
    maker = type(model).__module__.partition(".")[0]
    mlflow.sklearn.save_model(
        model,
        str(folder),
        mlflow_model=about,
        serialization_format=written,
        pip_requirements=_pins("scikit-learn", "numpy", written, maker),
    )


def _pickle_jobs_by_value() -> None:
    import cloudpickle  # type: ignore[import-untyped]  # ships no types

    # No reader of the model can import the job file: what it defines must travel inside the pickle.
    # (MLflow uses the cloudpickle package, which knows nothing of the modules registered with
    # pyspark's own copy of it.)
    for name, module in list(sys.modules.items()):
        if name.startswith("tidegate_job_"):
            cloudpickle.register_pickle_by_value(module)


def _pins(*packages: str) -> list[str]:
    # Named here because MLflow, left to itself, loads the model in a second process to see what it
    # imports.
    pins = []
    for package in packages:
        try:
            pins.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            # The job's own module, or one named otherwise than its package: nothing to pin.
            continue
    return pins


def _class_of(model: object) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"
