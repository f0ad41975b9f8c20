"""What one seed came to: a line of the table, and every broken invariant."""

from collections.abc import Iterable
from dataclasses import dataclass, field

NAMES = ("seed", "event", "moment", "what happened", "verdict")


@dataclass
class Outcome:
    """One seed's event, when it came, what followed, and what should not have."""

    seed: int
    event: str
    moment: str
    happened: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told_last: str = ""

    def require(self, held: bool, otherwise: str) -> None:
        """Note a broken invariant."""
        if not held:
            self.faults.append(otherwise)

    @property
    def verdict(self) -> str:
        """What the table says."""
        return "BROKEN: " + "; ".join(self.faults) if self.faults else "holds"

    def cells(self) -> tuple[str, ...]:
        return str(self.seed), self.event, self.moment, ", ".join(self.happened), self.verdict

    def told(self) -> str:
        """Say what broke, and how to see it again."""
        seen = " | ".join((*self.cells(), self.told_last))
        return f"{seen}\nrepeat it with: python -m tests.chaos --seed {self.seed}"


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as a table of Markdown."""
    lines = [f"| {' | '.join(NAMES)} |", f"|{'---|' * len(NAMES)}"]
    lines += [f"| {' | '.join(each.cells())} |" for each in outcomes]
    return "\n".join(lines)
