"""``python -m tests.chaos 200`` runs the seeds 0 to 199; ``--seed 17`` runs one again."""

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import tests.conftest  # noqa: F401  (the environment of tests, before anything is imported)
from tests.chaos.outcome import Outcome, table
from tests.chaos.seeds import Chaos


def run(chaos: Chaos, seed: int) -> Outcome:
    """Run a seed; one that breaks the run itself is one of the broken, not the others' end."""
    try:
        return chaos.run(seed)
    except Exception as error:
        return Outcome(seed, "?", "?", faults=[f"{type(error).__name__}: {str(error)[:300]}"])


def main() -> int:
    """Run the seeds, print each as it ends and the table at last; return how many broke."""
    parser = ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=40, help="how many seeds")
    parser.add_argument("--seed", type=int, nargs="*", help="these seeds alone")
    asked = parser.parse_args()
    seeds = asked.seed or range(asked.number)
    # Ended from outside, it still ends what it started and gives the small disk back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with TemporaryDirectory(prefix="tidegate-chaos-") as folder, Chaos(Path(folder)) as chaos:
        outcomes = []
        for seed in seeds:
            outcomes.append(run(chaos, seed))
            sys.stdout.write(f"{outcomes[-1].told()}\n")
            sys.stdout.flush()
    sys.stdout.write(f"\n{table(outcomes)}\n")
    return sum(bool(each.faults) for each in outcomes)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
