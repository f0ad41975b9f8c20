"""Reports and specs with full defaults, for tests without Spark."""

from typing import Any

from tidegate.contract import (
    Attempt,
    Expectation,
    Input,
    Judgement,
    Output,
    Report,
    StageSpec,
    Suite,
)

ATTEMPT = Attempt(
    dag_id="nightly",
    task_id="clean",
    run_id="r1",
    map_index=-1,
    try_number=1,
    generation=2,
    submitted_ms=1_700_000_000_000,
)


def expectation(**overrides: Any) -> Expectation:
    given: dict[str, Any] = {
        "type": "expect_column_values_to_be_between",
        "severity": "critical",
        "success": True,
        "id": "1",
        "kwargs": {
            "column": overrides.pop("column", "wind_speed"),
            "min_value": 0,
            "max_value": 200,
        },
        "unexpected": 0,
        "share": 0.0,
        "elements": 72,
    }
    return Expectation(**{**given, **overrides})


def failing(**overrides: Any) -> Expectation:
    given = {"success": False, "unexpected": 1, "share": 0.0139, "examples": ("1048.36",)}
    return expectation(**{**given, **overrides})


def spec(**overrides: Any) -> StageSpec:
    given: dict[str, Any] = {
        "kind": "batch",
        "attempt": ATTEMPT,
        "reads": (),
        "suite": Suite(name="flights_clean", document={"expectations": []}),
        "params": {},
        "folder": "reports/x",
        "writes": "lake.flights.clean",
        "job": "clean.py",
    }
    return StageSpec(**{**given, **overrides})


def report(*expectations: Expectation, **overrides: Any) -> Report:
    given: dict[str, Any] = {
        "attempt": ATTEMPT,
        "kind": "batch",
        "outcome": "published",
        "judgement": Judgement(verdict="pass", expectations=expectations),
        "inputs": (Input(name="flights", source="landing/flights.csv"),),
        "output": Output(target="lake.flights.clean", rows=930, version=8842, previous=8841),
        "steps": {"session": 4.0, "write": 2.5},
        "spark": {
            "application": "local-1",
            "input_rows": 12_000_000,
            "input_bytes": 2**31,
            "shuffle_bytes": 0,
            "spill_bytes": 0,
            "peak_memory_bytes": 2**20,
            "skew": 8.7,
        },
    }
    return Report(**{**given, **overrides})
