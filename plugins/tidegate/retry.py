"""The advice of :mod:`tidegate.telling.advice` as Airflow's retry policy."""

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from tidegate.errors import TidegateError
from tidegate.telling.advice import ADVICE, Advice

RETRIES = 2
"""Retries of a stage whose DAG does not say: enough for a lost driver; a verdict uses none."""


def _rule(error: type[TidegateError], advice: Advice) -> RetryRule:
    action = RetryAction.RETRY
    if advice.delay is None:
        action = RetryAction.FAIL
    return RetryRule(error, action, advice.delay, f"{error.__name__}: {advice.reason}")


RETRY_POLICY = ExceptionRetryPolicy(
    rules=[_rule(error, advice) for error, advice in ADVICE.items()]
)
"""The default ``retry_policy`` of every stage; what else is raised is retried as Airflow would."""
