"""The links of a stage's task in Airflow's UI: to Spark's own UI, and to its gate report."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from tidegate.telling.wording import PAGE_LINK

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class SparkUiLink(BaseOperatorLink):
    """The live Spark UI while the stage runs; afterwards the History Server.

    Which one, ``[tidegate] history_url`` names.
    """

    name = "Spark UI"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the address the operator last knew; empty if it never learned one."""
        return str(getattr(operator, "spark_ui", "") or "")


class GateReportLink(BaseOperatorLink):
    """The page of this attempt's report, for those who may read the DAG's runs."""

    name = PAGE_LINK

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the page's path on Airflow's own server."""
        parts = (
            ti_key.dag_id,
            ti_key.run_id,
            ti_key.task_id,
            str(ti_key.map_index),
            str(ti_key.try_number),
        )
        return "/tidegate/reports/" + "/".join(quote(part, safe="") for part in parts)
