"""The task log, as far as a driver reaches it while it works."""

from typing import TYPE_CHECKING

from tidegate.links import SparkUiLink
from tidegate.telling.lines import WIDTH, begun, middle

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tidegate.operators.base import StageOperator


class TaskLog:
    """Takes what the driver tells: to the task log, and the address of Spark's UI to its link."""

    def __init__(self, operator: "StageOperator", context: "Context") -> None:
        self._operator = operator
        self._context = context

    def say(self, text: str) -> None:
        """Log one line."""
        self._operator.log.info("%s", begun(text))

    def spark_ui(self, address: str) -> None:
        """Keep the address for the task's link."""
        self._operator.spark_ui = address
        self._context["ti"].xcom_push(key=SparkUiLink().xcom_key, value=address)
        self._operator.log.info("%s", middle(f"ui {address}", WIDTH))
