"""What the wings tell each other: a spec goes in, a report comes out, both of them JSON."""

from tidegate.contract.judgement import (
    GRAVITY,
    MORE,
    Expectation,
    Json,
    Judgement,
    Severity,
    Verdict,
    columns_of,
)
from tidegate.contract.kinds import KINDS, RESERVED, Kind, KindRow
from tidegate.contract.reads import (
    FORMATS,
    ModelRead,
    PathRead,
    Read,
    TableRead,
    is_table,
    parse_read,
    read_as_json,
    read_of_json,
)
from tidegate.contract.report import SAYS, Failure, Input, Outcome, Output, Report
from tidegate.contract.spec import PROTOCOL, Attempt, Mode, StageSpec, Suite, digest
from tidegate.contract.text import brief, number

__all__ = [
    "FORMATS",
    "GRAVITY",
    "KINDS",
    "MORE",
    "PROTOCOL",
    "RESERVED",
    "SAYS",
    "Attempt",
    "Expectation",
    "Failure",
    "Input",
    "Json",
    "Judgement",
    "Kind",
    "KindRow",
    "Mode",
    "ModelRead",
    "Outcome",
    "Output",
    "PathRead",
    "Read",
    "Report",
    "Severity",
    "StageSpec",
    "Suite",
    "TableRead",
    "Verdict",
    "brief",
    "columns_of",
    "digest",
    "is_table",
    "number",
    "parse_read",
    "read_as_json",
    "read_of_json",
]
