"""Two real nights of 2013 on Airflow and Spark, on this machine."""
