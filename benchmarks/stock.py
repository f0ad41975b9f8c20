"""Great Expectations as its documentation has it, and a result's counts, to compare ours with."""

from typing import Any

from pyspark.sql import DataFrame

from tidegate.contract import Judgement

Counts = dict[int, float | str]
"""What was seen of a rule, by its place in the suite: how many were wrong, or the value itself."""


def validate(frame: DataFrame, expectations: list[dict[str, Any]], *, persist: bool) -> Counts:
    """Run Great Expectations over ``frame``; return what it counted.

    :param persist: whether it caches the frame first, as it does unless told otherwise.
    """
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("spark", persist=persist)
    batch = source.add_dataframe_asset("orders").add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(suite_of(expectations))
    result = batch.get_batch({"dataframe": frame}).validate(suite, result_format="SUMMARY")
    frame.sparkSession.catalog.clearCache()  # nothing in GX ever drops what it cached
    return in_order(expectations, result.describe_dict()["expectations"])


def suite_of(expectations: list[dict[str, Any]]) -> Any:
    """Return a suite of Great Expectations."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    suite = gx.ExpectationSuite(name="bench", expectations=[])
    for each in expectations:
        suite.add_expectation_configuration(ExpectationConfiguration(**each))
    return suite


def in_order(expectations: list[dict[str, Any]], results: list[dict[str, Any]]) -> Counts:
    """Return what results of Great Expectations counted, by the place of their rule.

    They come in the order in which they were resolved, not in that of the suite.
    """
    counts: Counts = {}
    for each in results:
        place = _place(expectations, each["expectation_type"], each["kwargs"])
        seen = each["result"]
        told = _told(seen.get("unexpected_count"), seen.get("observed_value"), each["success"])
        counts[place] = told
    return counts


def ours(judgement: Judgement) -> Counts:
    """Return what a gate of ours counted."""
    counts: Counts = {}
    for place, each in enumerate(judgement.expectations):
        counts[place] = _told(each.unexpected, each.observed, each.success)
    return counts


def _place(expectations: list[dict[str, Any]], type_: str, kwargs: dict[str, Any]) -> int:
    for place, each in enumerate(expectations):
        same = [kwargs.get(key) == value for key, value in each["kwargs"].items()]
        if each["type"] == type_ and all(same):
            return place
    raise ValueError(f"{type_} with {kwargs} is no rule of this suite")


def _told(unexpected: int | None, observed: Any, success: bool) -> float | str:
    if unexpected is not None:
        return unexpected
    if isinstance(observed, int | float):
        return round(observed, 6)  # the last digits of a sum are those of its order
    return "holds" if success else "fails"
