"""What the form of a Spark connection offers is honoured, and what cannot be is refused early."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from stages import FakeProject, batch, context

from tidegate.errors import SpecError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store


@pytest.fixture(autouse=True)
def hadoop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))


def connect(monkeypatch: pytest.MonkeyPatch, host: str, **extra: Any) -> None:
    said = {"conn_type": "spark", "host": host, "extra": json.dumps(extra)}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(said))


def command(project: FakeProject, **arguments: Any) -> list[str]:
    """Run a stage; return the words of its spark-submit."""
    task = batch(project, **arguments)
    at = context(task)
    task.execute(at)
    folder = reports_store().files(this_attempt(at)).folder
    words: list[str] = json.loads((folder / "argv.json").read_text())
    return words


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def refused(project: FakeProject, **arguments: Any) -> str:
    task = batch(project, **arguments)
    with pytest.raises(SpecError) as error:
        task.execute(context(task))
    assert not list(project.root.rglob("argv.json"))
    return str(error.value)


def test_what_the_form_says_reaches_spark(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "yarn", **{"queue": "nights", "deploy-mode": "client", "namespace": ""})
    words = command(project)
    assert (after(words, "--master"), after(words, "--queue")) == ("yarn", "nights")
    assert after(words, "--deploy-mode") == "client"


def test_an_operators_argument_takes_the_place_of_the_forms(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "yarn", **{"queue": "nights", "deploy-mode": "cluster"})
    words = command(project, yarn_queue="days", deploy_mode="client")
    assert (after(words, "--queue"), after(words, "--deploy-mode")) == ("days", "client")


def test_the_keytab_is_a_file_for_its_owner_alone_until_the_attempt_is_over(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    keytab = base64.encodebytes(b"the keys").decode()
    connect(monkeypatch, "yarn", keytab=keytab, principal="nights@LAKE")
    submit = project.root / "bin" / "spark-submit"
    look = (
        "kept = Path(sys.argv[sys.argv.index('--keytab') + 1])\n"
        "seen = f'{kept.read_text()} {kept.stat().st_mode & 0o777:o}'\n"
        "Path(kept.parent, 'seen').write_text(seen)\n"
    )
    submit.write_text(submit.read_text().replace("sys.exit(", f"{look}sys.exit("))
    words = command(project)
    file = Path(after(words, "--keytab"))
    assert after(words, "--principal") == "nights@LAKE"
    assert not file.exists()
    assert (file.parent / "seen").read_text() == "the keys 600"


def test_a_properties_file_is_the_projects(project: FakeProject) -> None:
    (project.root / "night.conf").write_text("spark.executor.memory 2g\n")
    words = command(project, properties_file="night.conf")
    assert after(words, "--properties-file") == "night.conf"


def test_a_properties_file_that_is_not_there_is_refused(project: FakeProject) -> None:
    assert "no such file on this worker" in refused(project, properties_file="missing.conf")


@pytest.mark.parametrize(
    ("host", "extra", "arguments", "said"),
    [
        ("yarn", {"deploy_mode": "client"}, {}, "did you mean 'deploy-mode'?"),
        ("yarn", {"spark.executor.memory": "1g"}, {}, "belong into the operator's conf"),
        ("yarn", {"deploy-mode": "clsuter"}, {}, "'deploy-mode' is 'clsuter'; give 'client'"),
        ("yarn", {"namespace": "spark"}, {}, "means something on kubernetes alone"),
        ("local[2]", {"queue": "nights"}, {}, "means something on yarn alone"),
        ("yarn", {"rest-port": "6066"}, {}, "means something on standalone alone"),
        ("spark://m:7077", {"rest-port": "x"}, {}, "'rest-port' is 'x'"),
        ("spark://m:7077", {"rest-scheme": "ftp"}, {}, "'rest-scheme' is 'ftp'"),
        ("yarn", {"keytab": "aGk="}, {}, "a 'keytab' without a 'principal'"),
        ("yarn", {"principal": "a@B"}, {}, "a 'principal' without a 'keytab'"),
        ("yarn", {"keytab": "!", "principal": "a@B"}, {}, "is not base64"),
        (
            "yarn",
            {"keytab": "aGk=", "principal": "a@B"},
            {"proxy_user": "c"},
            "a 'principal' and a proxy_user",
        ),
        ("yarn", {"yarn_resourcemanager_webapp_address": "rm:8088"}, {}, "give http://host:8088"),
        ("yarn", {"queue": "a"}, {"conf": {"spark.yarn.queue": "b"}}, "say it once"),
        ("yarn", {}, {"conf": {"spark.submit.deployMode": "cluster"}}, "say it once"),
        ("local[2]", {}, {"conf": {"spark.master": "yarn"}}, "say it once"),
        ("mesos://m:5050", {}, {}, "is Mesos, which Spark had until 3.5 and removed in 4.0"),
        ("yarn-cluster", {}, {}, "none that Spark knows"),
        ("spark://m:7077", {"deploy-mode": "cluster"}, {}, "refuses for Python on a Standalone"),
        ("local[2]", {"deploy-mode": "cluster"}, {}, "a local master has no cluster"),
        ("k8s://h", {"pending-timeout": "1m"}, {}, "'pending-timeout' is '1m'"),
        ("yarn", {"service-account": "x"}, {}, "means something on kubernetes alone"),
        ("yarn", {"spark-binary": "bash"}, {}, "spark-binary extra can be one of"),
    ],
)
def test_what_cannot_be_is_refused_before_submission(
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    extra: dict[str, str],
    arguments: dict[str, Any],
    said: str,
) -> None:
    connect(monkeypatch, host, **extra)
    found = refused(project, **arguments)
    assert said in found
    assert "'spark_default'" in found


def test_mesos_as_a_uri_is_told_what_to_use(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", "mesos://m:5050")
    assert "use YARN ('yarn'), Kubernetes" in refused(project)


def test_yarn_without_hadoops_configuration_is_refused(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "yarn")
    monkeypatch.delenv("HADOOP_CONF_DIR")
    assert "HADOOP_CONF_DIR is None" in refused(project)
