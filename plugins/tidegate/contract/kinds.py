"""The kinds of stage, a row each: what every wing needs to know of a kind, not how it works."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["batch", "sql", "train", "graph", "stream", "gate"]
Publishes = Literal["table", "model", "nothing"]


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """One kind of stage.

    ``suffix`` is the ending of its job file, None for a kind without a job; ``unit`` is the word
    for one state of what it publishes; ``offers`` are the names its job may ask for besides its
    inputs.
    """

    publishes: Publishes
    suffix: str | None
    unit: str = "snapshot"
    offers: tuple[str, ...] = ("spark", "params")


KINDS: Mapping[Kind, KindRow] = {
    "batch": KindRow(publishes="table", suffix=".py"),
    "sql": KindRow(publishes="table", suffix=".sql", offers=()),
    "train": KindRow(publishes="model", suffix=".py", unit="version"),
    "graph": KindRow(
        publishes="table", suffix=".py", offers=("spark", "params", "graph", "graphframe")
    ),
    "stream": KindRow(publishes="table", suffix=".py"),
    "gate": KindRow(publishes="nothing", suffix=None, offers=()),
}
"""To add a kind: a row here, a file in ``driver/kinds/``, a class in ``operators/stages.py``."""

RESERVED = tuple(dict.fromkeys(name for row in KINDS.values() for name in row.offers))
"""Names that jobs are offered by tidegate itself, so that no input may bear them."""
