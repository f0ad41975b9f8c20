"""Pages that tidegate adds to Airflow's server."""
