# One image for Airflow, the Spark master and the workers: see docker-compose.yml for why they share it.
# tidegate itself is not installed: it comes from the mounted plugins/ folder. Installed and mounted, it would be there twice.
FROM apache/airflow:3.3.2-python3.11

# Spark runs on Java 17. Folders that hold volumes must exist here and belong to the image's user: a new volume takes
# owner and mode from them.
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=airflow --group=0 --mode=0775 \
        /opt/project /opt/project/lake /opt/project/models /opt/project/spool \
        /opt/airflow/tidegate
COPY --chmod=0755 docker/with-spark-secret /usr/local/bin/with-spark-secret
USER airflow

# Names only: the versions are those of constraints.txt. Keep the names in step with pyproject.toml.
COPY --chown=airflow:0 constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt \
        apache-airflow apache-airflow-providers-apache-spark \
        pyspark pyspark-client great-expectations pandas pendulum \
        mlflow-skinny sqlalchemy alembic scikit-learn skops pyarrow

# Resolve spark.jars.packages now, so that no stage has to download Iceberg when it starts; and Kafka's source, which
# dags/live_departures.py asks for.
COPY --chown=airflow:0 conf /opt/project/conf
ENV SPARK_CONF_DIR=/opt/project/conf
RUN echo 'print("jars are there")' > /tmp/nothing.py && spark-submit --master 'local[1]' /tmp/nothing.py \
    && spark-submit --master 'local[1]' --packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1 /tmp/nothing.py

WORKDIR /opt/project
