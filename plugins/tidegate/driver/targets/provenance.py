"""What every staged snapshot and model version says of its origin, spelled here alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self, cast

from tidegate.contract import StageSpec, Verdict
from tidegate.driver.targets.mark import Mark

KEY = "tidegate.stage"
RUN = "tidegate.run_id"
TRY = "tidegate.try"
ORDER = "tidegate.submitted_ms"
SUITE = "tidegate.suite"
SUITE_SHA256 = "tidegate.suite_sha256"
FINGERPRINT = "tidegate.fingerprint"
VERDICT = "tidegate.verdict"
COMPACTS = "tidegate.compacts"
"""Says of a snapshot that it holds the same rows in fewer files, and whose: the stage's key."""
MERGES = "tidegate.merge_keys"
"""Says of a snapshot that it holds rows merged with the table of then, by these keys."""
ROWS = "tidegate.rows"
PASSING = ("pass", "warn")
"""The verdicts that let an output through."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Whose work it is.

    ``verdict`` is None until it is judged; ``submitted_ms`` orders attempts. A merge says its keys
    (as JSON) and its rows, which Iceberg does not tell from the rows that it copied; ``batch`` is
    what a micro-batch of a stream says besides.
    """

    key: str
    run_id: str
    try_number: str
    submitted_ms: int
    suite: str
    suite_sha256: str
    fingerprint: str
    verdict: Verdict | None = None
    merges: str | None = None
    rows: int | None = None
    batch: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: StageSpec, fingerprint: str) -> Self:
        """Return the provenance of what an attempt is about to write."""
        merges = None
        if spec.merge is not None:
            merges = json.dumps(spec.merge.keys)
        return cls(
            key=spec.key,
            run_id=spec.attempt.run_id,
            try_number=str(spec.attempt.try_number),
            submitted_ms=spec.attempt.submitted_ms,
            suite=spec.suite.name,
            suite_sha256=spec.suite.sha256,
            fingerprint=fingerprint,
            merges=merges,
        )

    @classmethod
    def read(cls, summary: Mapping[str, str]) -> Self | None:
        """Return what a snapshot's summary or a version's tags say; None if it is none of ours."""
        if KEY not in summary or FINGERPRINT not in summary:
            return None
        return cls(
            key=summary[KEY],
            run_id=summary.get(RUN, ""),
            try_number=summary.get(TRY, "?"),
            submitted_ms=int(summary.get(ORDER, "0")),
            suite=summary.get(SUITE, ""),
            suite_sha256=summary.get(SUITE_SHA256, ""),
            fingerprint=summary[FINGERPRINT],
            verdict=cast("Verdict | None", summary.get(VERDICT)),
            merges=summary.get(MERGES),
            rows=_number(summary.get(ROWS)),
        )

    @property
    def passed(self) -> bool:
        """Whether it was judged and let through."""
        return self.verdict in PASSING

    def is_earlier_try_of(self, other: Self) -> bool:
        """Whether it is known to be of an earlier try of the same run."""
        if self.run_id != other.run_id or not self.try_number.isdigit():
            return False
        return int(self.try_number) < int(other.try_number)

    def judged(self, verdict: Verdict) -> Self:
        """Return this provenance with its verdict."""
        return replace(self, verdict=verdict)

    def of_batch(self, mark: Mark) -> Self:
        """Return this provenance for one micro-batch of a stream."""
        return replace(self, batch=mark.as_summary())

    def as_summary(self) -> dict[str, str]:
        """Return the properties of a snapshot, or the tags of a version."""
        summary = {
            KEY: self.key,
            RUN: self.run_id,
            TRY: self.try_number,
            ORDER: str(self.submitted_ms),
            SUITE: self.suite,
            SUITE_SHA256: self.suite_sha256,
            FINGERPRINT: self.fingerprint,
            **self.batch,
        }
        known = {VERDICT: self.verdict, MERGES: self.merges, ROWS: self.rows}
        told = {key: str(value) for key, value in known.items() if value is not None}
        return summary | told


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text)
