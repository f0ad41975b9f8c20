"""Catalyst's plans of SQL statements, looked at before anything runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql import SparkSession

from tidegate.driver.jvm import java_session, jvm_of

_CATALYST = "org.apache.spark.sql.catalyst"


def parsed(spark: SparkSession, statement: str, values: Mapping[str, Any]) -> Any:
    """Return a statement's parsed plan, as ``spark.sql(statement, args=values)`` would parse it.

    Borrowed (``sqlParser().parsePlanWithParameters``) because PySpark parses only to execute;
    without it, a statement that writes is known when it has written.
    """
    parser = java_session(spark).sessionState().sqlParser()
    if not values:
        return parser.parsePlan(statement)
    jvm = jvm_of(spark)
    catalyst = jvm.org.apache.spark.sql.catalyst
    literal = getattr(getattr(catalyst.expressions, "Literal$"), "MODULE$")
    literals = {name: literal.apply(value) for name, value in values.items()}
    as_scala = jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(literals)
    context = catalyst.parser.NamedParameterContext(as_scala)
    return parser.parsePlanWithParameters(statement, context)


def analysed(spark: SparkSession, plan: Any) -> Any:
    """Return the analysed plan of :func:`parsed`'s plan; what it says to do is not done.

    Borrowed (``executePlan`` with ``SKIP``) because PySpark runs a command as it analyses it;
    without it, what ``IDENTIFIER(…)`` stands for is known too late. Never give it a plan that is
    not known to read: ``CALL`` and ``EXECUTE IMMEDIATE`` run while they are analysed.
    """
    skip = jvm_of(spark).org.apache.spark.sql.execution.CommandExecutionMode.SKIP()
    return java_session(spark).sessionState().executePlan(plan, skip).analyzed()


def nodes_of(spark: SparkSession, plan: Any) -> Iterator[Any]:
    """Yield the nodes of a plan, the root first, of every plan within it, and their expressions.

    Borrowed (``TreeNode``, ``QueryPlan``, ``PlanExpression``) because PySpark shows a plan as text
    alone; without it, a statement could only be known by its first word.
    """
    subquery = jvm_of(spark).java.lang.Class.forName(f"{_CATALYST}.expressions.PlanExpression")
    left = [plan]
    while left:
        node = left.pop()
        yield node
        left += _each(node.children())
        if subquery.isInstance(node):
            left.append(node.plan())
        if is_plan(spark, node):
            left += _each(node.innerChildren()) + _each(node.expressions())
        if name_of(node) == f"{_CATALYST}.plans.logical.WithWindowDefinition":
            # The one node that keeps expressions where none of the three looks.
            left += _each(node.windowDefinitions().values().toSeq())


def name_of(node: Any) -> str:
    """Return the full name of a node's class."""
    name: str = node.getClass().getName()
    return name


def is_plan(spark: SparkSession, node: Any) -> bool:
    """Tell a plan from an expression."""
    plan = jvm_of(spark).java.lang.Class.forName(f"{_CATALYST}.plans.QueryPlan")
    return bool(plan.isInstance(node))


def setting_of(node: Any) -> str | None:
    """Return the setting that a ``SET key=value`` sets; None if it sets nothing.

    Borrowed (``SetCommand.kv``) because only Spark's parser says where the key ends.
    """
    pair = node.kv()
    if not pair.isDefined() or not pair.get()._2().isDefined():
        return None
    return str(pair.get()._1())


def is_local_view(node: Any) -> bool:
    """Tell whether a ``CreateViewCommand`` makes a view of the session alone (``viewType``)."""
    return bool(node.viewType().toString() == "LocalTempView")


def body_of(node: Any) -> str | None:
    """Return the query that a ``CreateSQLFunctionCommand`` gives a temporary function; else None.

    Borrowed (``exprText``, ``queryText``) because the plan holds a function's body as text.
    """
    if not node.isTemp():
        return None
    if node.queryText().isDefined():
        return str(node.queryText().get())
    return f"SELECT {node.exprText().get()}"


def parameters_of(node: Any) -> str:
    """Return the parameters of a ``CreateSQLFunctionCommand``, as text (``inputParamText``)."""
    text = node.inputParamText()
    if not text.isDefined():
        return ""
    return str(text.get())


def function_of(node: Any) -> str:
    """Return the name of the function that an ``UnresolvedFunction`` calls, without its catalog."""
    return str(node.nameParts().last())


def _each(sequence: Any) -> list[Any]:
    return [sequence.apply(place) for place in range(sequence.size())]
