# Everything a fresh machine needs beyond Python 3.11, Java 17 and make is installed by the targets themselves.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:

PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export SPARK_CONF_DIR := $(CURDIR)/conf

.PHONY: help setup demo stream tpch up test test-all chaos kills lint bench clean

help:  ## Show this help
	grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: .tidegate/jars landing/.landed  ## Install the pinned packages, fetch Spark's jars, land the flights of 2013

demo: setup  ## Run two real nights on Airflow and Spark: one publishes, one closes its gate (target tpch: a larger example)
	python -m demo.night

stream: setup .tidegate/kafka/.fetched  ## Stream a day by Kafka and TCP, kill a driver in the middle, prove that nothing is lost or doubled
	python -m demo.stream.run

# Fills three days of TPC-H in on Airflow and Spark, and compares the lake with DuckDB.
tpch: setup
	python -m demo.tpch.run

up: setup  ## Start Airflow with the DAGs and its UI, ready to trigger by hand
	python -m demo.up

# Two files of tests run at a time. The long ones start first, so that both sides end together. `make test-all` runs the slow ones too.
LANES ?= 2
PYTEST := python -m pytest -n $(LANES) --dist loadfile --no-loadscope-reorder $(addprefix tests/,system chaos driver airflow house unit)

test: setup .tidegate/test-jars .tidegate/chromium .tidegate/postgresql  ## Run the tests, two files at a time; test-all: those marked slow, too
	$(PYTEST) -m 'not slow'

test-all: setup .tidegate/test-jars .tidegate/chromium .tidegate/postgresql
	$(PYTEST)

N ?= 40
chaos: setup  ## Kill, crowd and disturb N stages at random (make chaos N=200); print what became of each
	python -m tests.chaos $(N)

# Kills driver, JVM, task, executor and broker of a stream N times at random, on a Spark cluster and a Kafka
# broker of its own, with 2,000 messages a kill: make kills N=50 STREAM_SEED=3
kills: setup
	STREAM_KILLS=$(N) python -m pytest -q tests/system/test_stream_kills.py

lint: .venv/.installed  ## Check style, types and the import contracts
	ruff check .
	ruff format --check .
	mypy
	lint-imports | tail -n 12

bench: setup  ## Run every benchmark; each prints a table and writes benchmarks/results/*.json
	for each in publish_cost stage_overhead gate_overhead gate_scale gate_peers gate_operator gate_s3 gate_memory parse_time stream_throughput stream_memory warm_memory; do python -m benchmarks.$$each; done

clean:  ## Remove what the other targets made: the environment, landed data, tables, models
	rm -rf .venv .tidegate landing lake mlflow.db mlartifacts spark-warehouse benchmarks/results

.venv/.installed: pyproject.toml constraints.txt
	command -v $(PYTHON) >/dev/null || { echo "tidegate needs Python 3.11: '$(PYTHON)' is not on the PATH (make PYTHON=…)"; exit 1; }
	command -v java >/dev/null || { echo "Spark needs Java 17: no 'java' on the PATH"; exit 1; }
	echo "installing packages into .venv …"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' constraints.txt)"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[train,kubernetes,graphframes,demo,dev]' pip setuptools
	touch $@

.tidegate/jars: .venv/.installed conf/spark-defaults.conf
	echo "fetching Spark's jars …"
	mkdir -p .tidegate
	echo 'print("jars are there")' > .tidegate/nothing.py
	spark-submit --master 'local[1]' .tidegate/nothing.py > .tidegate/jars.log 2>&1 || { tail -n 20 .tidegate/jars.log; exit 1; }
	touch $@

.tidegate/kafka/.fetched: .venv/.installed dags/live_departures.py demo/stream/broker.py
	echo "fetching Kafka's jars …"
	python -m demo.stream.fetch
	touch $@

.tidegate/test-jars: .tidegate/jars tests/fetch.py tests/driver/local_spark.py demo/stream/broker.py
	echo "fetching the jars of the tests …"
	python -m tests.fetch > .tidegate/test-jars.log 2>&1 || { tail -n 20 .tidegate/test-jars.log; exit 1; }
	touch $@

# Tests look at the report's page in Chromium, and say why they skip where there is none.
.tidegate/chromium: .venv/.installed
	mkdir -p .tidegate
	command -v chromium >/dev/null || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } > .tidegate/chromium.log 2>&1 || echo "no Chromium, and it cannot be installed (.tidegate/chromium.log): tests of the page in a browser skip"
	touch $@

# Tests read a PostgreSQL of their own by JDBC, and say why they skip where there is none.
.tidegate/postgresql: .venv/.installed
	mkdir -p .tidegate
	test -x "$$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)" || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql; } > .tidegate/postgresql.log 2>&1 || echo "no PostgreSQL, and it cannot be installed (.tidegate/postgresql.log): tests of reads by JDBC skip"
	touch $@

landing/.landed: .venv/.installed demo/land.py
	python -m demo.land
	touch $@
