"""Specs and reports survive their JSON, and reads are understood or refused."""

import json
from typing import Any

import pytest
from builders import expectation, failing, report, spec

from tidegate.contract import Failure, Merge, PathRead, Report, StageSpec, parse_read
from tidegate.errors import BY_NAME, GateClosed, JobError, SpecError, TidegateError
from tidegate.telling.finding import sentence


def test_a_spec_survives_its_json() -> None:
    given = spec(
        reads=(parse_read("a", "x/y.csv"), parse_read("b", "lake.a.b")),
        partition={"ds": "2013-01-01"},
    )
    assert StageSpec.from_json(given.to_json()) == given


def test_a_merge_survives_its_json_and_is_keyed_by_its_run() -> None:
    merge = Merge(keys=["id", "Größe"], deletes="gone", judge="table")
    given = spec(mode="merge", merge=merge)
    assert StageSpec.from_json(given.to_json()) == given
    assert '"run_id"' in given.key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"keys": ()}, "list the columns"),
        ({"keys": {"id"}}, "list the columns"),
        ({"keys": [""]}, "list the columns"),
        ({"keys": ["a", "A"]}, "name each column once"),
        ({"keys": ["id"], "deletes": "ID"}, "that is no key"),
        ({"keys": ["id"], "deletes": True}, "name a boolean column"),
        ({"keys": ["id"], "judge": "all"}, "use 'rows' or 'table'"),
    ],
)
def test_a_merge_is_valid_from_birth(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Merge(**arguments)


def test_a_report_survives_its_json() -> None:
    failure = Failure(type="JobError", message="x")
    given = report(expectation(), failing(), outcome="failed", failure=failure)
    assert Report.from_json(given.to_json()) == given


def test_another_protocol_is_refused() -> None:
    with pytest.raises(SpecError, match="protocol"):
        StageSpec.from_json(spec().to_json().replace('"protocol": 2', '"protocol": 99'))
    with pytest.raises(ValueError, match="protocol"):
        Report.from_json(report().to_json().replace('"protocol": 2', '"protocol": 99'))


@pytest.mark.parametrize(
    ("value", "format_", "source"),
    [
        ("landing/x.csv", "csv", "landing/x.csv"),
        ("landing/x.csv.gz", "csv", "landing/x.csv.gz"),
        ("s3a://b/x.parquet", "parquet", "s3a://b/x.parquet"),
        ("a/x.JSON", "json", "a/x.JSON"),
        ("x.orc", "orc", "x.orc"),
        ({"path": "folder/", "format": "parquet"}, "parquet", "folder/"),
        ("lake.flights.clean", None, "lake.flights.clean"),
        ("lake.a.b.c", None, "lake.a.b.c"),
        ({"table": "lake.a.b", "snapshot_id": 3}, None, "lake.a.b"),
    ],
)
def test_reads_that_are_understood(value: Any, format_: str | None, source: str) -> None:
    read = parse_read("x", value)
    assert read.source == source
    assert (read.format if isinstance(read, PathRead) else None) == format_


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("x", "flights.clean", "a table is written catalog.namespace.table"),
        ("x", "folder/file", "cannot tell the format"),
        ("x", "folder/file.xlsx", "cannot tell the format"),
        ("x", {"path": "a.csv", "table": "lake.a.b"}, "give one of"),
        ("x", {}, "give one of"),
        ("x", {"path": "a.csv", "seperator": ";"}, r"unknown \['seperator'\]"),
        ("x", {"path": "x.csv", "version": 3}, "version is for a Delta table"),
        ("x", {"path": "x", "format": "delta", "schema": "id INT"}, "leave both out"),
        ("x", {"path": "*.csv", "min_files": 0}, "min_files=0; at least 1"),
        ("x", {"path": "*.csv", "min_files": "many"}, "min_files is a whole number"),
        ("x", {"table": "lake.a.b", "min_files": 2}, r"unknown \['min_files'\]"),
        ("my input", "a.csv", "identifier"),
        ("x", {"path": "a.txt", "format": "txt"}, "cannot tell the format"),
    ],
)
def test_reads_that_are_refused_say_what_to_do(name: str, value: Any, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_read(name, value)


def test_options_become_text_as_spark_wants_them() -> None:
    assert parse_read("x", {"path": "a.csv", "options": {"sep": ";", "n": 1}}).options == {
        "sep": ";",
        "n": "1",
    }


def test_the_stage_key_is_the_partition_for_replaces_and_the_run_for_appends() -> None:
    one, other = spec(partition={"ds": "1"}), spec(partition={"ds": "2"})
    assert one.key != other.key
    assert "r1" in spec(mode="append").key
    assert "r1" not in one.key


def test_a_failure_becomes_the_error_it_names() -> None:
    error = Failure(type="JobError", message="boom").as_error()
    assert isinstance(error, JobError)
    assert str(error) == "boom"


def test_the_tree_of_errors_is_complete() -> None:
    assert set(BY_NAME) == {
        "SpecError",
        "JobError",
        "DataError",
        "GateClosed",
        "ResourceExhausted",
        "ClusterUnavailable",
        "DriverLost",
        "PublishError",
    }
    assert all(issubclass(error, TidegateError) for error in BY_NAME.values())
    assert BY_NAME["GateClosed"] is GateClosed


def test_a_report_of_protocol_1_still_reads_and_tells_the_same_words() -> None:
    document = json.loads(report().to_json())
    document["protocol"] = 1
    document["judgement"]["expectations"] = [
        {
            "type": "expect_column_values_to_be_between",
            "column": "wind_speed",
            "severity": "critical",
            "success": False,
            "bound": "0 .. 200",
            "observed": "1.39 % unexpected",
            "unexpected": 1,
            "share": 0.0139,
            "examples": ["1048.36"],
            "exception": None,
        }
    ]
    judged = Report.from_json(json.dumps(document)).judgement
    assert judged is not None
    told = sentence(judged.expectations[0])
    assert told == "wind_speed: 1.4 % not 0 .. 200 (1 of 72), e.g. 1048.36"


def test_the_numbers_of_a_report_are_json_numbers() -> None:
    document = json.loads(report(failing()).to_json())
    seen = document["judgement"]["expectations"][0]
    assert (seen["unexpected"], seen["share"], seen["elements"]) == (1, 0.0139, 72)
    assert seen["kwargs"] == {"column": "wind_speed", "min_value": 0, "max_value": 200}
