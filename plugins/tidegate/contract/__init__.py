"""What the wings tell each other: a spec goes in, a report comes out, both of them JSON."""

from tidegate.contract.feeds import KafkaRead, SocketRead
from tidegate.contract.finding import Finding, findings_as_json, findings_of_json
from tidegate.contract.flow import BatchEvent, Flow, MicroBatch
from tidegate.contract.jdbc import JdbcRead, password_key
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
from tidegate.contract.merge import Merge, merge_of
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
from tidegate.contract.spec import (
    PROTOCOL,
    SECRETS,
    VARIABLE,
    Attempt,
    Mode,
    StageSpec,
    Suite,
    digest,
)
from tidegate.contract.stream import Stream
from tidegate.contract.text import brief, named, number, plain

__all__ = [
    "FORMATS",
    "GRAVITY",
    "KINDS",
    "MORE",
    "PROTOCOL",
    "RESERVED",
    "SECRETS",
    "VARIABLE",
    "Attempt",
    "BatchEvent",
    "Expectation",
    "Failure",
    "Finding",
    "Flow",
    "Input",
    "JdbcRead",
    "Json",
    "Judgement",
    "KafkaRead",
    "Kind",
    "KindRow",
    "Merge",
    "MicroBatch",
    "Mode",
    "ModelRead",
    "Outcome",
    "Output",
    "PathRead",
    "Read",
    "Report",
    "Severity",
    "SocketRead",
    "StageSpec",
    "Stream",
    "Suite",
    "TableRead",
    "Verdict",
    "brief",
    "carries_secret",
    "columns_of",
    "digest",
    "findings_as_json",
    "findings_of_json",
    "is_secret",
    "is_table",
    "merge_of",
    "named",
    "number",
    "parse_read",
    "password_key",
    "plain",
    "read_as_json",
    "read_of_json",
    "redaction_regex",
    "scrub",
    "secrets_of",
]
