"""A stream: one query of Spark's, each of its micro-batches settled as a stage is."""
