"""The Spark wing: runs inside the driver, imports no Airflow."""
