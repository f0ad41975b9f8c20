"""TPC-H as a project of its own: ``make tpch`` lands it, fills three days in, and compares."""
