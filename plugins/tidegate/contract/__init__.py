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
from tidegate.contract.report import Failure, Input, Outcome, Output, Report
from tidegate.contract.secrets import carries_secret, is_secret, redaction_regex, scrub, secrets_of
from tidegate.contract.spec import PROTOCOL, Attempt, Mode, StageSpec, Suite, digest
from tidegate.contract.text import brief, named, number, plain

__all__ = [
    "FORMATS",
    "GRAVITY",
    "KINDS",
    "MORE",
    "PROTOCOL",
    "RESERVED",
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
    "carries_secret",
    "columns_of",
    "digest",
    "is_secret",
    "is_table",
    "named",
    "number",
    "parse_read",
    "plain",
    "read_as_json",
    "read_of_json",
    "redaction_regex",
    "scrub",
    "secrets_of",
]
