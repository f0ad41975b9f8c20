"""The gate: a Great Expectations suite judged in the same pass that writes the data."""
