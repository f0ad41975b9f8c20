"""Scikit-learn models in the format of skops: reading one makes known classes, and runs nothing."""

from pathlib import Path
from zipfile import BadZipFile

from tidegate.errors import DataError, SpecError

NAME = "skops"
"""What MLflow calls the format."""
_FILE = "model.skops"
"""What MLflow calls the file."""
_REFUSALS = (TypeError, ValueError, AttributeError, NotImplementedError, RecursionError)


def serves(model: object) -> bool:
    """Tell whether ``model`` is made of nothing but classes that skops trusts by itself.

    It is not asked to trust more: whose tree or function a stored model holds, no reader can tell.
    """
    try:
        from skops.io import dumps, get_untrusted_types

        return not get_untrusted_types(data=dumps(model))
    except ImportError:
        # Only a better format is missing, not the stage's way to publish.
        return False
    except _REFUSALS:
        # What skops cannot write, cloudpickle may: that is no fault of the job's.
        return False


def read(folder: str) -> object:
    """Return the model in ``folder``.

    The classes that the model itself asks to be trusted are not: whoever can write the registry
    could name any. (MLflow's own reader trusts them.)

    :raises DataError: if it holds other classes than skops trusts, or is damaged.
    :raises SpecError: if skops is not installed.
    """
    try:
        from skops.io import load
    except ImportError as missing:
        # It comes with what a train stage needs; a driver that only reads may lack it.
        raise SpecError(
            f"the model is in the format of skops ({missing}); install tidegate[train] where the "
            "driver runs"
        ) from missing
    try:
        model: object = load(Path(folder, _FILE), trusted=None)
    except (*_REFUSALS, BadZipFile, KeyError, OSError) as refused:
        # Whatever is wrong with the file, nothing of it has been run: it is the registry's data.
        raise DataError(f"the model's {_FILE} cannot be trusted: {str(refused)[:300]}") from refused
    return model
