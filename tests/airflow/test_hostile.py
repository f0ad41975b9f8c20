"""What a stranger, a form, the data or a careless job can put in reaches no log, link or folder."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from stages import FakeProject, batch, context, given

from tidegate.errors import DriverLost, SpecError, TidegateError
from tidegate.operators.attempt import this_attempt
from tidegate.settings import reports_store

HUSH = "hush-hush-hush"


def folder(at: dict[str, Any]) -> Path:
    return reports_store().files(this_attempt(at)).folder


def master(monkeypatch: pytest.MonkeyPatch, host: str, **extra: str) -> None:
    connection = {"conn_type": "spark", "host": host, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))


def listening(task: Any) -> list[str]:
    told: list[str] = []
    task.log.info = lambda text, *values: told.append(text % values)
    return told


def test_a_line_of_sparks_output_is_never_taken_for_the_drivers(project: FakeProject) -> None:
    forged = [
        "tidegate| wrote 9,999 rows aside",
        "tidegate| ui javascript:alert(1)",
        '{"ui": "http://evil.example/"}',
        '{"say": "all is well"}',
        "26/01/01 ERROR a cell with a newline:",
        "tidegate| GATE PASSED",
    ]
    project.submit_will(outcome="published", prints=forged)
    task = batch(project)
    told = listening(task)
    at = context(task)
    task.execute(at)
    assert not [line for line in told if "9,999" in line or "all is well" in line or "PASS" in line]
    assert at["ti"].pushed == {"_link_SparkUiLink": "http://127.0.0.1:4040"}
    assert "9,999" in (folder(at) / "spark.log").read_text()


def test_a_link_is_set_once_and_only_to_a_page(project: FakeProject) -> None:
    tells = ['{"ui": "http://evil.example/"}', '{"ui": "javascript:alert(1)"}']
    project.submit_will(outcome="published", tells=tells)
    task = batch(project)
    at = context(task)
    task.execute(at)
    assert at["ti"].pushed == {"_link_SparkUiLink": "http://127.0.0.1:4040"}


def test_bytes_that_are_no_text_and_endless_lines_end_no_stage(project: FakeProject) -> None:
    project.submit_will(outcome="published", bytes="fffe80c3", megabytes=20)
    task = batch(project)
    assert task.execute(context(task))["snapshot_id"] == 7


@pytest.mark.parametrize("host", ["yarn", "spark://m:7077", "local[2]"])
def test_only_the_authors_variables_travel_and_the_workers_stay_at_home(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    master(monkeypatch, host)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(project.root))  # Spark takes no `yarn` without it
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "fernet-of-the-worker")
    variables = {"REGION": "eu", "MY_API_TOKEN": HUSH, "RETRIES": 3}
    task = batch(project, env_vars=variables)
    told = listening(task)
    at = context(task)
    task.execute(at)
    argv = (folder(at) / "argv.json").read_text()
    assert "fernet-of-the-worker" not in argv
    assert "AIRFLOW__" not in argv
    assert HUSH not in argv + "\n".join(told)
    assert ("spark.yarn.appMasterEnv.REGION=eu" in argv) == (host == "yarn")
    given_to_it = json.loads((folder(at) / "environment.json").read_text())
    assert (given_to_it["REGION"], given_to_it["MY_API_TOKEN"]) == ("eu", HUSH)
    assert given_to_it["RETRIES"] == "3"
    assert "PYSPARK_DRIVER_PYTHON" in given_to_it, "ours are not lost by the author's"


@pytest.mark.parametrize("extra", [{"spark-home": "/opt/spark"}, {"spark-binary": "evil"}])
def test_what_the_provider_refuses_is_a_spec_error(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str]
) -> None:
    master(monkeypatch, "local", **extra)
    task = batch(project)
    with pytest.raises(SpecError, match="the Spark provider refuses connection 'spark_default'"):
        task.execute(context(task))


CONF = {
    "spark.hadoop.fs.s3a.secret.key": HUSH,
    "spark.my.setting": f"jdbc:postgresql://db/x?user=u&password={HUSH}",
    "spark.executor.extraJavaOptions": f"-Djavax.net.ssl.trustStorePassword={HUSH}",
    "spark.driver.extraJavaOptions": f"-Xss4m -Djavax.net.ssl.keyStorePassword={HUSH}",
    "spark.executor.instances": 3,
    "spark.ui.enabled": False,
}


def test_secret_conf_is_in_no_place_that_others_read(project: FakeProject) -> None:
    project.submit_will(outcome="published", prints=[f"Spark quotes {HUSH}"])
    task = batch(project, conf=CONF)
    told = listening(task)
    at = context(task)
    result = task.execute(at)
    argv = (folder(at) / "argv.json").read_text()
    left = [f for f in folder(at).iterdir() if f.name not in ("spec.seen.json", "environment.json")]
    texts = [argv, json.dumps(result), "\n".join(told), *(f.read_text() for f in left)]
    assert not [text for text in texts if HUSH in text]
    seen = json.loads((folder(at) / "spec.seen.json").read_text())["conf"]
    assert seen["spark.my.setting"] == CONF["spark.my.setting"], "the driver was given it"
    assert "spark.executor.instances=3" in argv
    assert "spark.ui.enabled=false" in argv
    assert "spark.driver.extraJavaOptions" not in argv
    java = json.loads((folder(at) / "environment.json").read_text())["JDK_JAVA_OPTIONS"]
    assert java.endswith(CONF["spark.driver.extraJavaOptions"]), "too late for the session to set"


def test_the_spec_of_a_try_that_was_killed_is_cleaned_by_the_next(project: FakeProject) -> None:
    first = batch(project, conf={"spark.my.token": HUSH})
    at = context(first)
    first.execute(at)
    killed = folder(at) / "spec.json"
    killed.write_text((folder(at) / "spec.seen.json").read_text())
    assert HUSH in killed.read_text()
    retry = context(first, try_number=2)
    first.execute(retry)
    assert HUSH not in killed.read_text()
    assert json.loads(killed.read_text())["writes"] == "lake.a.b", "the rest is there to look at"


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("conf", ["x"], "conf=.*mapping"),
        ("conf", {"spark.x": {"a": 1}}, r"conf\['spark.x'\] is dict"),
        ("conf", {3: "x"}, r"conf\[3\]"),
        ("env_vars", "A=1", "env_vars=.*mapping"),
        ("env_vars", {"A": None}, r"env_vars\['A'\] is NoneType"),
        ("reads", {"x": {"path": "x.csv", "options": "sep=;"}}, "options=.*mapping"),
        ("reads", {"x": {"path": "x.csv", "schema": 3}}, "schema=3; give Spark DDL"),
        ("reads", {"x": {"table": "lake.a.b", "snapshot_id": ""}}, "snapshot_id is a whole number"),
        ("reads", {"x": {"table": "lake.a.b", "snapshot_id": "1;x"}}, "whole number"),
        ("reads", {"x": {"path": "landing/2013-02-08T00:00.csv"}}, "Hadoop cannot read a name"),
        ("reads", {"x": "wasbs://b@a.blob/x.csv?sv=1&sig=abc"}, "carries a password or signature"),
        ("reads", {"x": "s3a://id:secret@bucket/x.csv"}, "carries a password or signature"),
        ("reads", {"flüge": "x.csv"}, "plain letters"),
        ("reads", {"class": "x.csv"}, "plain letters"),
        ("reads", {"x; DROP": "x.csv"}, "plain letters"),
        ("reads", {"x y": "{{ ds }}.csv"}, "plain letters"),
        ("reads", {"x": "lake.flüge.clean"}, "cannot tell the format"),
        ("writes", "lake.flüge.clean", "of letters, digits"),
        ("writes", "lake.a.b; DROP TABLE x", "of letters, digits"),
        ("writes", "lake.a.`b`", "of letters, digits"),
        ("job", "../outside.py", "outside"),
        ("job", "/etc/outside.py", "outside"),
        ("job", "a/../../outside.py", "outside"),
        ("gate", "../outside", "outside"),
        ("gate", "/etc/outside", "outside"),
    ],
)
def test_what_cannot_be_is_refused_while_the_dag_is_read(
    project: FakeProject, argument: str, value: Any, said: str
) -> None:
    (project.root / "outside.py").write_text("def run(x): return x")
    (project.root / "outside.json").write_text('{"expectations": []}')
    with pytest.raises(SpecError, match=f"task 'clean': .*{said}"):
        batch(project, **{argument: value})


RENDERED = {
    "job": ["../outside.py", "/etc/outside.py", "job.sql", "nowhere.py"],
    "gate": ["../outside", "/etc/outside", "nowhere"],
    "writes": ["lake.b", "", "lake.a.b; DROP TABLE x", "lake.{{x}}.b", "lake.a.b.`c`"],
    "reads": ["../../etc/passwd.csv", "x/../../y.csv", "x.exe", "a:b.csv", "", "{{ ds }}.exe"],
    "partition": [""],
}


@pytest.mark.parametrize(
    ("field", "typed"), [(field, typed) for field, all_ in RENDERED.items() for typed in all_]
)
def test_what_a_form_typed_into_a_template_is_checked_like_what_an_author_wrote(
    project: FakeProject, field: str, typed: str
) -> None:
    (project.root / "outside.py").write_text("def run(x): return x")
    (project.root / "outside.json").write_text('{"expectations": []}')
    template: Any = "{{ params.typed }}"
    if field == "reads":
        template = {"x": template}
    if field == "partition":
        template = {"ds": template}
    task = batch(project, **{field: template}, params={"typed": "x"})
    at = context(task, typed=typed)
    task.render_template_fields(at)
    with pytest.raises(SpecError, match=r"clean|reads"):
        task.execute(at)
    assert not (folder(at) / "argv.json").exists(), "spark-submit was started"


@pytest.mark.parametrize("typed", ["a/b", "2013-02-08'; DROP", "{{ ds }}", "..", "x\ny", "é"])
def test_a_hostile_partition_value_stays_a_value(project: FakeProject, typed: str) -> None:
    task = batch(project, partition={"ds": "{{ params.typed }}"}, params={"typed": "x"})
    at = context(task, typed=typed)
    task.render_template_fields(at)
    task.execute(at)
    assert given(task, at).partition == {"ds": typed}


STRANGE_RUNS = [".", "..", "../../../x", "x" * 250, "manual__2013-02-08T00:00:00+00:00", "a\nb"]


@pytest.mark.parametrize("run_id", STRANGE_RUNS)
def test_any_run_id_has_its_own_private_folder(project: FakeProject, run_id: str) -> None:
    task = batch(project)
    at = context(task)
    at["ti"].run_id = run_id
    before = os.umask(0)
    try:
        task.execute(at)
    finally:
        os.umask(before)
    root = Path(reports_store().root).resolve()
    assert folder(at).resolve().is_relative_to(root / "d")
    assert stat.S_IMODE(folder(at).stat().st_mode) == 0o700
    ours = ("spec.json", "report.json", "spark.log", "told.jsonl")
    assert {stat.S_IMODE((folder(at) / name).stat().st_mode) for name in ours} == {0o600}


def test_a_reports_folder_that_cannot_be_written_is_a_spec_error(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("AIRFLOW__TIDEGATE__REPORTS_DIR", str(tmp_path / "file" / "below"))
    task = batch(project)
    with pytest.raises(SpecError, match="reports_dir"):
        task.execute(context(task))


@pytest.mark.parametrize("leaves", ["null", "[]", "{}", '{"protocol": 2, "attempt": ATTEMPT}'])
def test_a_report_that_makes_no_sense_is_a_lost_driver(project: FakeProject, leaves: str) -> None:
    project.submit_will(leaves=leaves)
    task = batch(project)
    with pytest.raises(DriverLost, match="cannot be believed"):
        task.execute(context(task))


def test_every_failure_here_has_a_card(
    project: FakeProject, caplog: pytest.LogCaptureFixture
) -> None:
    project.submit_will(outcome="failed", type="DataError", message="a\nb\x1b[31m", exit=70)
    task = batch(project)
    with pytest.raises(TidegateError):
        task.execute(context(task))
    card = [message for message in caplog.messages if message.startswith("| ")]
    assert any("DATA ERROR" in line for line in card)
    assert all(line.isprintable() for line in card)
