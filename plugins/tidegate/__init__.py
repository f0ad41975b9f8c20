"""Publish control for Spark on Airflow: every stage writes aside, is judged, and only then reaches readers."""

__version__ = "0.1.0"
