"""What an application on YARN is given of conf."""

from tidegate.errors import require
from tidegate.submit.elsewhere import digest_of
from tidegate.submit.protocol import Order
from tidegate.submit.secrets import shown_variables
from tidegate.submit.yarn.client import tag_of

_WAITS = "spark.yarn.submit.waitAppCompletion"
_OURS = {"spark.yarn.maxAppAttempts": "1", _WAITS: "true"}
_HADOOP = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")


def conf_of(order: Order, master: str) -> dict[str, str]:
    """Return what a driver on YARN needs of its conf.

    :raises SpecError: if the operator's conf says otherwise.
    """
    given = order.settings.shown.get("conf", {})
    for key, ours in _OURS.items():
        said = given.get(key, ours)
        require(
            str(said).lower() == ours,
            f"conf {key}={said!r}: a stage needs {ours!r}; its retries are Airflow's, and its task "
            "waits for its end",
        )
    tags = filter(None, (given.get("spark.yarn.tags"), tag_of(digest_of(order.spec.attempt))))
    return {
        "spark.yarn.appMasterEnv.GX_ANALYTICS_ENABLED": "false",
        **shown_variables(order.settings, master),
        **_OURS,
        _WAITS: str(not order.lets_go).lower(),
        "spark.yarn.tags": ",".join(tags),
    }


def submitters_variables(order: Order) -> dict[str, str]:
    """Return what of the author's variables is for spark-submit too, not for the driver alone."""
    given = order.settings.variables
    return {name: given[name] for name in _HADOOP if name in given}
