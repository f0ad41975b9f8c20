"""Which SQL statements a job may hold: those whose every part is known to read, or to prepare.

What is not listed here is refused, whatever it is: a new command of Spark, one of an extension.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from tidegate.driver.jvm import plans
from tidegate.errors import SpecError

_CATALYST = "org.apache.spark.sql.catalyst"
_EXECUTION = "org.apache.spark.sql.execution"
_BY_PACKAGE: Mapping[str, str] = {
    f"{_CATALYST}.plans.logical": (
        "Aggregate CTERelationDef CTERelationRef Deduplicate Distinct Except Expand Filter Generate"
        " GlobalLimit Intersect Join LateralJoin LocalLimit LocalRelation Offset OneRowRelation"
        " Pivot Project Range RebalancePartitions Repartition RepartitionByExpression ResolvedHint"
        " Sample Sort SQLFunctionNode Subquery SubqueryAlias Union UnionLoop UnionLoopRef Unpivot"
        " UnresolvedHint UnresolvedWith View Window WithCTE WithWindowDefinition"
    ),
    f"{_CATALYST}.analysis": (
        "PlanWithUnresolvedIdentifier RelationTimeTravel ResolvedIdentifier ResolvedInlineTable"
        " SQLFunctionNode UnresolvedHaving UnresolvedIdentifier UnresolvedInlineTable"
        " UnresolvedRelation"
        " UnresolvedSubqueryColumnAliases UnresolvedTableValuedFunction UnresolvedTVFAliases"
    ),
    f"{_CATALYST}.catalog": "HiveTableRelation",
    f"{_CATALYST}.expressions": "PipeOperator",
    _EXECUTION: "LogicalRDD",
    f"{_EXECUTION}.datasources": "LogicalRelation",
    f"{_EXECUTION}.datasources.v2": "DataSourceV2Relation",
}
_READS = frozenset(
    f"{package}.{name}" for package, names in _BY_PACKAGE.items() for name in names.split()
)
"""The plan nodes that read, parsed and analysed."""
_VIEW = f"{_EXECUTION}.command.CreateViewCommand"
_FUNCTION = f"{_EXECUTION}.command.CreateSQLFunctionCommand"
_SET = f"{_EXECUTION}.command.SetCommand"
_PREPARES = frozenset(
    {
        _VIEW,
        _FUNCTION,
        _SET,
        f"{_CATALYST}.plans.logical.CacheTable",
        f"{_CATALYST}.plans.logical.CacheTableAsSelect",
        f"{_CATALYST}.plans.logical.CreateVariable",
        f"{_CATALYST}.plans.logical.SetVariable",
    }
)
"""The commands that change nothing but the session."""
_FUNCTION_CALL = f"{_CATALYST}.analysis.UnresolvedFunction"
_REACHES_OUT = frozenset({"reflect", "java_method", "try_reflect"})
"""The functions that call any method of any class."""
_REFLECTION = re.compile(r"\.(CallMethodViaReflection|TryReflect)$")
_DEFAULT = re.compile(r"\bDEFAULT\b", re.I)
_SETTINGS = re.compile(
    r"spark\.sql\.(?!.*class)(?:session\.timeZone|shuffle\.partitions|autoBroadcastJoinThreshold"
    r"|broadcastTimeout|mapKeyDedupPolicy|pivotMaxValues|legacy\.timeParserPolicy"
    r"|cteRecursion\w+|(?:ansi|adaptive|cbo|crossJoin|decimalOperations|files|optimizer"
    r"|inMemoryColumnarStorage)\.[\w.]+)",
    re.I,
)
"""What ``SET`` may set: how a query is read and planned, and nothing of catalogs or writes."""
_INSTEAD = "what SQL cannot do by reading is the work of a batch job, whose output is gated too"


@dataclass(frozen=True)
class Statement:
    """One statement of a job."""

    job: str
    number: int
    text: str
    values: Mapping[str, Any]
    is_last: bool

    @property
    def where(self) -> str:
        """The statement, as an error names it."""
        verb = self.text.split(maxsplit=1)[0].upper()
        return f"{self.job}, statement {self.number} ({verb} …)"


def check(spark: SparkSession, statement: Statement) -> None:
    """Refuse a statement that is not known to read or to prepare; run nothing of it.

    :raises SpecError: saying what it holds.
    """
    _check_plan(spark, statement, plans.parsed(spark, statement.text, statement.values))


def check_meaning(spark: SparkSession, statement: Statement) -> None:
    """Refuse a checked statement that means something else once its names are known.

    :raises SpecError: saying what it holds.
    """
    # IDENTIFIER(…) may stand for more than a table, and a view holds what its maker put there.
    plan = plans.parsed(spark, statement.text, statement.values)
    _check_plan(spark, statement, plans.analysed(spark, plan))


def _check_plan(spark: SparkSession, statement: Statement, plan: Any) -> None:
    root, *nodes = plans.nodes_of(spark, plan)
    name = plans.name_of(root)
    if not statement.is_last and name in _PREPARES:
        refuse = _CHECKS.get(name, _accept)
        refuse(spark, statement, root)
    elif not statement.is_last or name not in _READS:
        raise _refused(statement, root)
    for node in nodes:
        _check_node(spark, statement, node)


def _check_node(spark: SparkSession, statement: Statement, node: Any) -> None:
    name = plans.name_of(node)
    if name == _FUNCTION_CALL:
        called = plans.function_of(node)
        if called.lower() in _REACHES_OUT:
            raise SpecError(f"{statement.where} calls {called}(), which runs anything: {_INSTEAD}")
    if _REFLECTION.search(name):
        raise SpecError(f"{statement.where} calls Java by reflection: {_INSTEAD}")
    if name not in _READS and plans.is_plan(spark, node):
        raise _refused(statement, node)


def _refused(statement: Statement, node: Any) -> SpecError:
    held = plans.name_of(node).rpartition(".")[2]
    if statement.is_last:
        return SpecError(
            f"{statement.where} is no query: {held} is not known to only read. End with the "
            "SELECT whose rows are the output: tidegate writes, gates and publishes them; "
            f"{_INSTEAD}"
        )
    return SpecError(
        f"{statement.where} does more than prepare: {held} is not known to only prepare. Only the "
        "last statement's rows are gated and published; before it, use CREATE TEMPORARY VIEW, "
        f"CREATE TEMPORARY FUNCTION … RETURN, DECLARE, SET or CACHE; {_INSTEAD}"
    )


def _accept(_spark: SparkSession, _statement: Statement, _node: Any) -> None:
    """Accept a command that can only change the session."""


def _check_view(_spark: SparkSession, statement: Statement, node: Any) -> None:
    if not plans.is_local_view(node):
        raise _refused(statement, node)


def _check_function(spark: SparkSession, statement: Statement, node: Any) -> None:
    body = plans.body_of(node)
    if body is None:
        raise _refused(statement, node)
    if _DEFAULT.search(plans.parameters_of(node)):
        # Kept as text, which nobody has looked at when a call brings it into a plan.
        raise SpecError(f"{statement.where}: a function's parameters take no DEFAULT here")
    for part in plans.nodes_of(spark, plans.parsed(spark, body, {})):
        _check_node(spark, statement, part)


def _check_setting(_spark: SparkSession, statement: Statement, node: Any) -> None:
    setting = plans.setting_of(node)
    if setting is None or not _SETTINGS.fullmatch(setting):
        raise SpecError(
            f"{statement.where}: a job does not set {setting or 'nothing'}; SET is for how a query "
            "is read and planned (time zone, ansi, adaptive, shuffle.partitions …). Give the rest "
            "as the stage's conf"
        )


_CHECKS: Mapping[str, Callable[[SparkSession, Statement, Any], None]] = {
    _VIEW: _check_view,
    _FUNCTION: _check_function,
    _SET: _check_setting,
}
