"""The rules of diagnosis as data: by what a failure is known, which error it is, and what it means.

Measured on 46 provoked failures of Spark 4.1. One table serves the driver's diagnosis, the gate's
question whether an error is the machinery's, and the reading of the log that a lost driver leaves.
"""

import re
from collections.abc import Iterable, Sequence

from tidegate.errors import (
    ClusterUnavailable,
    DataError,
    JobError,
    PublishError,
    ResourceExhausted,
    SpecError,
)
from tidegate.rules import Fact, Reading, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        by=("tail",),
        pattern=r"unresolved dependency: \S+",
        error=SpecError,
        means="a package of spark.jars.packages does not resolve",
    ),
    Rule(
        by=("tail",),
        pattern=r"Could not parse Master URL|Master must either be yarn or start with",
        error=SpecError,
        means="the connection's master is none that Spark knows",
    ),
    Rule(
        by=("tail",),
        pattern=r"(ModuleNotFoundError|ImportError): ",
        error=SpecError,
        means="the driver's Python lacks a package",
    ),
    Rule(
        by=("tail",),
        pattern=r"Cannot run program ",
        error=SpecError,
        means="PYSPARK_PYTHON names no Python",
    ),
    Rule(
        # Before a session there is no condition to be asked for.
        by=("text", "tail"),
        pattern=r"\[INVALID_(DRIVER|EXECUTOR)_MEMORY\]",
        error=SpecError,
        means="Spark does not start with so little memory; raise driver_memory or executor_memory",
    ),
    Rule(
        by=("text", "tail"),
        # Not a JVM's option: YARN's driver logs its executors' command line, which has one.
        pattern=r"(?<!On)OutOfMemoryError",
        error=ResourceExhausted,
        means="memory ran out; raise driver_memory or executor_memory",
        machinery=True,
    ),
    Rule(
        by=("text", "tail"),
        pattern=r"No space left",
        error=ResourceExhausted,
        means="the disk is full",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=(
            r"NoSuchMethodError|NoSuchFieldError|NoClassDefFoundError|AbstractMethodError"
            r"|IncompatibleClassChangeError|ClassFormatError|UnsupportedClassVersionError"
        ),
        error=SpecError,
        means="a jar is damaged, or made for another version of Spark, Scala or Java",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=r"^CommitFailedException: |\nCommitFailedException: ",
        error=PublishError,
        means="others committed to the table faster than this attempt could",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=r"Python worker exited",
        error=ResourceExhausted,
        means="a Python worker was killed, mostly for its memory",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=r"exited with (exit )?code (137|52)\b|maxResultSize|TaskResultLost",
        error=ResourceExhausted,
        means="an executor was killed for its memory, or the job collects too much",
    ),
    Rule(
        by=("text", "tail"),
        pattern=r"All masters are unresponsive",
        error=ClusterUnavailable,
        means="the Spark master did not answer",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=(
            r"ConnectException|UnknownHost|NoRouteToHost|SocketTimeout"
            r"|kafka\S*TimeoutException"
        ),
        error=ClusterUnavailable,
        means="a master, broker or store did not answer",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=r"ExecutorLostFailure|FetchFailed|Python worker failed to connect",
        error=ClusterUnavailable,
        means="executors were lost, more often than Spark replaces them",
        machinery=True,
    ),
    Rule(
        by=("condition",),
        pattern=r"PARSE_SYNTAX_ERROR",
        error=SpecError,
        means="the statement is no SQL",
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"51024",
        error=PublishError,
        means="somebody changed a table's columns while it was read",
        machinery=True,
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"42|0A|07|46|56|51|38",
        error=JobError,
        means="what the job asks of Spark cannot be: names, types, syntax",
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"22|23|21|P0|39",
        error=DataError,
        means="a value cannot be taken",
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"KD",
        error=DataError,
        means="a file cannot be read",
        machinery=True,
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"53|54",
        error=ResourceExhausted,
        means="a resource or a limit is exhausted",
        machinery=True,
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"08|40|58",
        error=ClusterUnavailable,
        means="a connection, a transaction or a system failed",
        machinery=True,
    ),
    Rule(
        by=("text",),
        pattern=r"AccessControlException|Mkdirs failed|Permission denied|Read-only file system",
        error=SpecError,
        means="the driver's user may not do that",
    ),
    Rule(
        by=("text",),
        pattern=r"ChecksumException|not a Parquet file|Malformed",
        error=DataError,
        means="a file is damaged",
    ),
    Rule(
        # Spark tells it of a file's record, and never of what a rule computes.
        by=("condition",),
        pattern=r"MALFORMED_RECORD_IN_PARSING",
        error=DataError,
        means="a record is not of the schema that the input names",
        machinery=True,
    ),
    Rule(
        by=("condition",),
        pattern=r"FAILED_READ_FILE",
        error=DataError,
        means="a file cannot be read",
        machinery=True,
    ),
    Rule(
        # Recorded: what refuses a null in an ML transformer has no condition of its own beneath.
        by=("condition",),
        pattern=r"FAILED_EXECUTE_UDF",
        error=DataError,
        means="a function of Spark's cannot take a value",
    ),
    Rule(
        by=("text",),
        pattern=r"FileNotFoundException",
        error=DataError,
        means="a file was removed while it was read",
        machinery=True,
    ),
    Rule(
        # Only while judging: elsewhere a stopped Spark is the job's own doing, or a lost driver.
        by=("judging",),
        pattern=(
            r"SparkContext (was|has been) (shut down|stopped)|stopped SparkContext"
            r"|Job \d+ cancelled"
        ),
        error=JobError,
        means="Spark was stopped while it worked",
        machinery=True,
    ),
    Rule(
        by=("sqlstate",),
        pattern=r"XX",
        error=JobError,
        means="Spark failed in itself",
        machinery=True,
    ),
)
"""The first rule that applies decides. What no rule knows is for the caller to say."""


def rule_of(chain: Sequence[Fact], decisive: Fact) -> Rule | None:
    """Return the rule for a chain of exceptions, if one applies.

    :param decisive: the one of them that says the most.
    """
    read: dict[Reading, list[str]] = {
        "text": ["\n".join(f"{fact.name}: {fact.text}" for fact in chain)],
        "condition": [fact.condition for fact in chain if fact.condition],
        "sqlstate": [decisive.sqlstate] if decisive.sqlstate else [],
    }
    for rule in RULES:
        if any(_applies(rule, by, text) for by in rule.by for text in read.get(by, ())):
            return rule
    return None


def is_machinery(fact: Fact) -> bool:
    """Tell whether an exception met while judging says nothing about the data or the suite."""
    known = [rule for rule in RULES if rule.machinery]
    if any(_applies(rule, "condition", fact.condition or "") for rule in known):
        return True
    if fact.sqlstate:  # Spark has a name for it; its text may quote the data
        return any(_applies(rule, "sqlstate", fact.sqlstate) for rule in known)
    text = f"{fact.name}: {fact.text}"
    return any(_applies(rule, by, text) for rule in known for by in ("text", "judging"))


def rule_of_tail(lines: Iterable[str], more: Sequence[Rule] = ()) -> tuple[Rule, str] | None:
    """Return the rule for a lost driver's last lines and the line it is known by, if any is.

    :param more: rules beside those of this table: what a cluster says of its containers.
    """
    known = list(lines)
    for rule in (*RULES, *more):
        for line in known:
            if _applies(rule, "tail", line):
                return rule, line.strip()
    return None


def _applies(rule: Rule, by: str, text: str) -> bool:
    if by not in rule.by:
        return False
    if by in ("condition", "sqlstate"):
        return re.match(rule.pattern, text) is not None
    return re.search(rule.pattern, text) is not None
