"""A short set of seeds of the chaos run; ``make chaos N=200`` runs many more."""

from collections.abc import Iterator

import pytest
from tests.chaos import processes, strangers
from tests.chaos.outcome import Outcome
from tests.chaos.seeds import EVENTS, Chaos
from tests.thinned import only

pytestmark = pytest.mark.system

KILLED_PYTHON, KILLED_SUBMIT = 23, 24
SEEDS = [seed for seed in range(EVENTS) if seed not in (KILLED_PYTHON, KILLED_SUBMIT)]
"""Every event once, but for two kills that differ from the others by their victim alone.

Those among processes are slow: ``make test`` has tests/system/test_kills.py, where what is killed
or wakes up late does so at a step that is chosen.
"""


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    with Chaos(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("seed", only(SEEDS, range(len(strangers.EVENTS))))
def test_readers_see_one_judged_snapshot_whatever_happens(chaos: Chaos, seed: int) -> None:
    outcome = chaos.run(seed)
    assert not outcome.faults, outcome.told()


def test_the_seeds_left_out_are_the_kills_they_are_meant_to_be() -> None:
    names = [event.name for event in strangers.EVENTS] + list(processes.EVENTS)
    assert names[KILLED_PYTHON] == "driver Python killed"
    assert names[KILLED_SUBMIT] == "spark-submit killed"


def test_a_broken_invariant_tells_how_to_see_it_again() -> None:
    outcome = Outcome(17, "disk full", "before gate")
    outcome.require(False, "readers see half")
    assert "BROKEN: readers see half" in outcome.told()
    assert "python -m tests.chaos --seed 17" in outcome.told()
