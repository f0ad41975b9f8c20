"""What the Airflow wing and the driver tell each other: a spec goes in, a report comes out, both JSON."""

from tidegate.contract.report import (
    SAYS,
    Expectation,
    Failure,
    Input,
    Judgement,
    Outcome,
    Output,
    Report,
    Severity,
    Verdict,
)
from tidegate.contract.spec import (
    FORMATS,
    PROTOCOL,
    Attempt,
    Kind,
    Mode,
    Read,
    StageSpec,
    Suite,
    digest,
    is_table,
)

__all__ = [
    "FORMATS",
    "PROTOCOL",
    "SAYS",
    "Attempt",
    "Expectation",
    "Failure",
    "Input",
    "Judgement",
    "Kind",
    "Mode",
    "Outcome",
    "Output",
    "Read",
    "Report",
    "Severity",
    "StageSpec",
    "Suite",
    "Verdict",
    "digest",
    "is_table",
]
