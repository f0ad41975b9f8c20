"""Reports as nights leave them, for the tests that look at their pages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate.contract import (
    Attempt,
    Expectation,
    Failure,
    Flow,
    Input,
    Judgement,
    MicroBatch,
    Output,
    Report,
)

FLIGHTS = Attempt(
    dag_id="nightly_flights",
    task_id="clean_flights",
    run_id="scheduled__2013-02-08T03:00:00+00:00",
    map_index=-1,
    try_number=2,
    generation=2,
    submitted_ms=1_700_000_000_000,
)
SPARK = {
    "application": "local-1795568723",
    "version": "4.1.1",
    "master": "local[2]",
    "input_rows": 12_000_000,
    "input_bytes": 2**31,
    "shuffle_bytes": 48_211_004,
    "spill_bytes": 0,
    "peak_memory_bytes": 734_003_200,
    "tasks": 64,
    "failed_tasks": 0,
    "skew": 8.7,
}
STEPS = {
    "session": 9.71,
    "inputs": 2.4,
    "fence": 0.62,
    "job": 0.35,
    "write": 6.81,
    "gate": 3.02,
    "publish": 0.26,
}
INPUTS = (
    Input(name="flights", source="/opt/project/landing/flights/2013-02-08.csv"),
    Input(name="weather", source="lake.flights.weather", snapshot_id=5394834692910987305),
    Input(name="delays", source="delay_model", snapshot_id=12),
)
PUBLISHED = Output(
    target="lake.flights.clean",
    rows=930,
    version=7394834692910987305,
    previous=6120034692910981122,
)


def expectation(verb: str, **overrides: Any) -> Expectation:
    """Return one that holds on every of 930 rows."""
    given: dict[str, Any] = {
        "id": "1",
        "type": f"expect_{verb}",
        "severity": "critical",
        "success": True,
        "unexpected": 0,
        "share": 0.0,
        "elements": 930,
    }
    return Expectation(**{**given, **overrides})


GOOD = (
    expectation("column_values_to_not_be_null", kwargs={"column": "carrier"}),
    expectation(
        "compound_columns_to_be_unique",
        kwargs={"column_list": ["carrier", "flight", "origin", "time_hour"]},
    ),
    expectation(
        "column_values_to_be_in_set",
        kwargs={"column": "origin", "value_set": ["EWR", "JFK", "LGA"]},
    ),
    expectation(
        "table_row_count_to_be_between",
        kwargs={"min_value": 500, "max_value": 1200},
        unexpected=None,
        share=None,
        elements=None,
        observed=930,
    ),
    expectation(
        "column_values_to_match_regex",
        kwargs={"column": "tailnum", "regex": "^N[0-9]{1,5}[A-Z]{0,2}$", "mostly": 0.95},
        severity="warning",
        unexpected=12,
        share=0.0129,
        examples=("D942DN",),
    ),
    expectation(
        "column_values_to_match_like_pattern",
        kwargs={"column": "email"},
        severity="info",
        withheld=True,
    ),
)
LATE = expectation(
    "column_values_to_not_be_null",
    kwargs={"column": "dep_time", "mostly": 0.8},
    severity="warning",
    success=False,
    unexpected=472,
    share=0.507527,
)
NOTED = expectation(
    "column_values_to_be_between",
    kwargs={"column": "air_time", "min_value": 20, "max_value": 700},
    severity="info",
    success=False,
    unexpected=1,
    share=0.001075,
    examples=("19.0",),
)
WINDY = expectation(
    "column_values_to_be_between",
    kwargs={"column": "wind_speed", "min_value": 0, "max_value": 200},
    success=False,
    unexpected=13,
    share=0.0139,
    examples=("1048.36", "9999.0", "-12.5"),
)
TWICE = expectation(
    "column_values_to_be_unique",
    kwargs={"column": "a_key_whose_name_somebody_made_very_long_" + "x" * 90},
    success=False,
    unexpected=930,
    share=1.0,
    examples=("A-77120", "A-90031 with spaces  and more", "z" * 120),
)
BROKEN = expectation(
    "column_median_to_be_between",
    kwargs={"column": "distance", "min_value": 300, "max_value": 1100},
    success=False,
    unexpected=None,
    share=None,
    elements=None,
    exception="UNRESOLVED_COLUMN: a column 'distance' cannot be resolved; did you mean 'dist'",
)
TRACE = "Traceback (most recent call last):\n" + "\n".join(
    f'  File "spark_jobs/clean_flights.py", line {n}, in run\n    frame.select("{"x" * n}")'
    for n in range(1, 30)
)


def batch(number: int, verdict: Any = "pass", dead: int = 0) -> MicroBatch:
    """Return a micro-batch of a hundred messages of three partitions."""
    start, end = (
        tuple([f'{{"departures":{{"0":{33 * n},"1":{33 * n},"2":{34 * n}}}}}'])
        for n in (number, number + 1)
    )
    if number == 0:
        start = ()
    return MicroBatch(
        number=number,
        rows=100 - dead,
        dead=dead,
        seconds=0.8,
        verdict=verdict,
        start=start,
        end=end,
    )


def report(verdict: Any, *expectations: Expectation, **overrides: Any) -> Report:
    given: dict[str, Any] = {
        "attempt": FLIGHTS,
        "kind": "batch",
        "outcome": "published",
        "judgement": Judgement(verdict=verdict, expectations=expectations),
        "inputs": INPUTS,
        "output": PUBLISHED,
        "steps": STEPS,
        "spark": SPARK,
    }
    return Report(**{**given, **overrides})


PAGES: Mapping[str, Report] = {
    "closed": report(
        "closed",
        *GOOD,
        NOTED,
        LATE,
        WINDY,
        TWICE,
        BROKEN,
        outcome="held",
        output=replace(
            PUBLISHED,
            held_at="lake.flights.clean.branch_stage_3f2a9c0d11e4_1795568723000_b7aa01_t2",
        ),
    ),
    "warned": report("warn", *GOOD, LATE, NOTED),
    "passed": report(
        "pass",
        *GOOD[:4],
        kind="gate",
        outcome="passed",
        output=Output(target="landing/flights/2013-02-08.csv", rows=930),
    ),
    "streamed": report(
        "closed",
        *GOOD[:2],
        TWICE,
        kind="stream",
        outcome="held",
        inputs=(Input(name="departures", source="kafka departures"), *INPUTS[2:]),
        output=Output(
            target="lake.flights.live",
            rows=100,
            version=9,
            previous=8,
            held_at="lake.flights.live.branch_stage_3f2a9c0d11e4_1795568723000_b7aa01_t2",
        ),
        flow=Flow(
            query="8f6d",
            batches=2,
            rows=197,
            dead=3,
            taken=300,
            skipped=1,
            lag=557,
            behind=12.4,
            rebuilt="there is none",
            last=(batch(0), batch(1, "warn", dead=3), batch(2, "closed")),
        ),
    ),
    "crashed": report(
        "pass",
        judgement=None,
        outcome="failed",
        output=None,
        steps={"session": 9.71, "inputs": 2.4, "fence": 0.62, "job": 0.35},
        failure=Failure(
            type="DataError",
            message="input 'flights': a value of the data cannot be read as the job asks\n"
            "[CAST_INVALID_INPUT] The value 'NA' of the type STRING cannot be cast to INT",
            cause="org.apache.spark.SparkNumberFormatException: [CAST_INVALID_INPUT]",
            condition="CAST_INVALID_INPUT",
            sqlstate="22018",
            trace=TRACE,
        ),
    ),
}
"""What the page is looked at with, by the name of the picture."""
