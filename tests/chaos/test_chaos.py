"""A short set of seeds of the chaos run; ``make chaos N=200`` runs many more."""

from collections.abc import Iterator

import pytest
from tests.chaos import processes, strangers
from tests.chaos.outcome import Outcome
from tests.chaos.seeds import EVENTS, Chaos
from tests.thinned import only

pytestmark = pytest.mark.system

KILLED_PYTHON, KILLED_SUBMIT, TWO_AT_ONCE = 23, 24, 27
SEEDS = [seed for seed in range(EVENTS) if seed not in (KILLED_PYTHON, KILLED_SUBMIT)]
"""Every event once, but for two kills that differ from the others by their victim alone.

Of those among processes, ``make test`` has two attempts at once: the others it has in
tests/system/test_kills.py too, at a step that is chosen.
"""


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    with Chaos(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("seed", only(SEEDS, [*range(len(strangers.EVENTS)), TWO_AT_ONCE]))
def test_readers_see_one_judged_snapshot_whatever_happens(chaos: Chaos, seed: int) -> None:
    outcome = chaos.run(seed)
    assert not outcome.faults, outcome.told()


def test_the_seeds_left_out_are_the_kills_they_are_meant_to_be() -> None:
    names = [event.name for event in strangers.EVENTS] + list(processes.EVENTS)
    assert names[KILLED_PYTHON] == "driver Python killed"
    assert names[KILLED_SUBMIT] == "spark-submit killed"
    assert names[TWO_AT_ONCE] == "two attempts at once"


def test_a_broken_invariant_tells_how_to_see_it_again() -> None:
    outcome = Outcome(17, "disk full", "before gate")
    outcome.require(False, "readers see half")
    assert "BROKEN: readers see half" in outcome.told()
    assert "python -m tests.chaos --seed 17" in outcome.told()
