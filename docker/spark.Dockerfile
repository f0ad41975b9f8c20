# The image of drivers and executors on Kubernetes: Spark, Python and what the driver imports, all of the versions of
# constraints.txt. tidegate itself is not in it: it travels with every application. Neither is Airflow.
#   docker build -f docker/spark.Dockerfile -t registry.example/tidegate-spark:4.1.1 .
# Python's minor version is the Airflow workers' own; Spark runs on Java 17.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 185 --gid 0 --create-home spark \
    && install --directory --owner=185 --group=0 --mode=0775 /opt/spark/work-dir

# Names only: the versions are those of constraints.txt. Keep the names in step with pyproject.toml.
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt \
        pyspark great-expectations pandas pendulum jinja2 \
        mlflow-skinny sqlalchemy alembic scikit-learn skops pyarrow

COPY --chmod=0755 docker/spark-entrypoint /usr/local/bin/spark-entrypoint
ENV SPARK_HOME=/usr/local/lib/python3.11/site-packages/pyspark \
    PYSPARK_PYTHON=/usr/local/bin/python3 \
    PYSPARK_DRIVER_PYTHON=/usr/local/bin/python3

# Kubernetes' runAsNonRoot looks at a number, not at a name.
USER 185
WORKDIR /opt/spark/work-dir

# Resolve spark.jars.packages now, so that no driver has to download Iceberg when it starts.
COPY --chown=185:0 conf /tmp/conf
RUN echo 'print("jars are there")' > /tmp/nothing.py \
    && SPARK_CONF_DIR=/tmp/conf spark-submit --master 'local[1]' /tmp/nothing.py

ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/usr/local/bin/spark-entrypoint"]
