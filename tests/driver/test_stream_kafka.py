"""A stream of a real Kafka broker: every message on main or among the dead letters, once."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from demo.stream import replay
from demo.stream.accounts import Account
from demo.stream.broker import Broker, send
from pyspark.sql import SparkSession
from streams import POSITIVE, StreamBench
from tests.driver.nights import constant, land

from tidegate.contract import Report
from tidegate.driver.__main__ import FAILED, HELD
from tidegate.driver.jvm import jvm_of
from tidegate.driver.stream.letters import DeadLetters
from tidegate.driver.targets.table.forward import StreamedTable

pytestmark = pytest.mark.kafka
SCHEMA = "id INT, v DOUBLE"
JOB = "def run(events):\n    return events.select('id', 'v', '_kafka.partition', '_kafka.offset')\n"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as made:
        yield made


class Topic:
    """A topic of a test's own."""

    def __init__(self, spark: SparkSession, broker: Broker, name: str, partitions: int) -> None:
        self.spark = spark
        self.name = name
        self.servers = broker.servers
        self.jvm = jvm_of(spark)
        settings = self.jvm.java.util.HashMap()
        settings.put("bootstrap.servers", broker.servers)
        self.admin = self.jvm.org.apache.kafka.clients.admin.Admin.create(settings)
        self.add(name, partitions)

    def add(self, name: str, partitions: int = 1) -> None:
        optional = self.jvm.java.util.Optional
        new = self.jvm.org.apache.kafka.clients.admin.NewTopic
        self._done(self.admin.createTopics([new(name, optional.of(partitions), optional.empty())]))

    def widen(self, partitions: int) -> None:
        more = self.jvm.org.apache.kafka.clients.admin.NewPartitions.increaseTo(partitions)
        self._done(self.admin.createPartitions({self.name: more}))

    def expire(self, partition: int, before: int) -> None:
        """Take away what Kafka's retention would."""
        at = self.jvm.org.apache.kafka.common.TopicPartition(self.name, partition)
        loader = self.admin.getClass().getClassLoader()
        kind = loader.loadClass("org.apache.kafka.clients.admin.RecordsToDelete")
        # By its one parameter: a method of the same name has none, and py4j takes that.
        named = [each for each in kind.getMethods() if each.getName() == "beforeOffset"]
        (make,) = [each for each in named if each.getParameterCount() == 1]
        gateway: Any = self.spark.sparkContext._gateway
        given = gateway.new_array(self.jvm.java.lang.Object, 1)
        given[0] = before
        gone = make.invoke(None, given)
        self._done(self.admin.deleteRecords({at: gone}))

    def send(self, *values: bytes | None, partition: int = 0, topic: str | None = None) -> None:
        rows = [(topic or self.name, partition, value) for value in values]
        frame = self.spark.createDataFrame(rows, "topic STRING, partition INT, value BINARY")
        writer = frame.coalesce(1).write.format("kafka")
        writer.option("kafka.bootstrap.servers", self.servers).save()

    def _done(self, result: Any) -> None:
        result.all().get()


def message(number: int, v: float = 1.0) -> bytes:
    return json.dumps({"id": number, "v": v}).encode()


class Bench(StreamBench):
    """A stream of one topic."""

    topic: Topic

    def read(self, **changes: Any) -> dict[str, Any]:
        given = {"kafka": self.topic.name, "servers": self.topic.servers, "schema": SCHEMA}
        return {"events": {**given, **changes}}

    def take(self, run_id: str = "r1", **overrides: Any) -> tuple[int, Report]:
        reads = overrides.pop("reads", None) or self.read()
        job = overrides.pop("job", JOB)
        return self.run(run_id=run_id, reads=reads, job=job, **overrides)

    def letters(self) -> list[Any]:
        name = f"{self.table}__dead_letters"
        self.spark.catalog.refreshTable(name)
        return sorted(self.spark.table(name).collect(), key=lambda row: (row.source, row.offset))


@pytest.fixture
def bench(
    spark: SparkSession, broker: Broker, tmp_path: Path, request: pytest.FixtureRequest
) -> Bench:
    made = Bench(spark, tmp_path)
    made.topic = Topic(spark, broker, made.table.replace("lake.", ""), 3)
    return made


def test_what_has_arrived_is_published_once_in_any_number_of_runs(bench: Bench) -> None:
    for partition in range(3):
        bench.topic.send(
            *map(message, range(partition * 10, partition * 10 + 10)), partition=partition
        )
    code, report = bench.take(max_per_batch=12)
    assert (code, bench.ids()) == (0, list(range(30)))
    assert report.flow is not None
    assert report.flow.batches == 3
    first, last = report.flow.last[0], report.flow.last[-1]
    assert json.loads(first.start[0]) == {bench.topic.name: {"0": 0, "1": 0, "2": 0}}
    assert json.loads(last.end[0]) == {bench.topic.name: {"0": 10, "1": 10, "2": 10}}
    bench.topic.send(message(99))
    code, _ = bench.take("r2")
    assert (code, bench.ids()) == (0, [*range(30), 99])


def test_what_does_not_parse_is_a_dead_letter_with_its_bytes(bench: Bench) -> None:
    bad = [b"nope", b'{"id": "x"}', b"", None, b"\xff\xfe", b"[1]"]
    bench.topic.send(message(1), *bad, message(2))
    code, report = bench.take()
    assert (code, bench.ids()) == (0, [1, 2])
    letters = bench.letters()
    assert [row.value for row in letters] == [bytearray(b) if b is not None else None for b in bad]
    assert [row.offset for row in letters] == [1, 2, 3, 4, 5, 6]
    assert {row.source for row in letters} == {bench.topic.name}
    assert letters[0].reason == "its value is no json of the schema"
    assert letters[2].reason == "it has no value"
    assert report.flow is not None
    assert (report.flow.rows, report.flow.dead) == (2, 6)
    bench.topic.send(b"again", message(3))
    code, report = bench.take("r2")
    assert (code, bench.ids(), len(bench.letters())) == (0, [1, 2, 3], 7)


def test_a_batch_of_dead_letters_alone_moves_the_stream_on(bench: Bench) -> None:
    bench.topic.send(b"nope")
    assert bench.take()[0] == 0
    assert bench.take("r2")[0] == 0
    assert (bench.ids(), len(bench.letters())) == ([], 1)


@pytest.mark.parametrize("at", ["the dead letters", "the batch", "Spark's note"])
def test_a_failure_around_the_publish_leaves_every_message_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    bench.topic.send(message(1))
    bench.take()
    bench.topic.send(message(2), b"nope")
    forward = StreamedTable.forward
    seen: list[str] = []

    def breaking(table: StreamedTable, move: Any) -> int:
        seen.append(table.name)
        stop = {"the dead letters": 1, "the batch": 2, "Spark's note": 3}[at]
        if len(seen) == stop:
            raise OSError("gone")
        moved = forward(table, move)
        if len(seen) == stop - 1 == 2:
            raise OSError("gone")
        return moved

    with monkeypatch.context() as broken:
        broken.setattr(StreamedTable, "forward", breaking)
        code, _ = bench.take("r2")
    assert code == FAILED
    code, report = bench.take("r2", try_number=2)
    assert (code, bench.ids()) == (0, [1, 2])
    assert [row.value for row in bench.letters()] == [bytearray(b"nope")]
    assert report.flow is not None
    assert report.flow.skipped == (at == "Spark's note")


def test_a_closed_batch_keeps_its_dead_letters_back_too(bench: Bench) -> None:
    bench.topic.send(message(1, v=-1.0), b"nope")
    assert bench.take()[0] == HELD
    assert (bench.ids(), bench.letters()) == ([], [])
    code, _ = bench.take("r2", expectations=[])
    assert (code, bench.ids(), len(bench.letters())) == (0, [1], 1)


def test_a_lost_checkpoint_is_made_anew_from_the_offsets_on_main(bench: Bench) -> None:
    bench.topic.send(*map(message, range(5)), b"nope")
    bench.take(max_per_batch=2)
    bench.lose_checkpoint()
    bench.topic.send(message(5), b"nope", partition=1)
    code, report = bench.take("r2")
    assert (code, bench.ids(), len(bench.letters())) == (0, list(range(6)), 2)
    assert report.flow is not None
    assert report.flow.rebuilt == "there is none"


def test_a_partition_added_meanwhile_is_read_from_its_beginning(bench: Bench) -> None:
    bench.topic.send(message(1))
    bench.take()
    bench.topic.widen(4)
    bench.topic.send(message(2), b"nope", partition=3)
    code, _ = bench.take("r2")
    assert (code, bench.ids(), len(bench.letters())) == (0, [1, 2], 1)


def test_offsets_that_retention_took_away_are_never_passed_over(bench: Bench) -> None:
    bench.topic.send(message(1))
    bench.take()
    bench.topic.send(*map(message, range(2, 8)))
    bench.topic.expire(0, 5)
    code, report = bench.take("r2")
    assert (code, bench.ids()) == (FAILED, [1])
    assert report.failure is not None
    assert report.failure.type == "DataError"
    gone = f"offset 1 of partition {bench.topic.name}-0 is gone"
    assert gone in report.failure.message, report.failure.message
    assert "start_over" in report.failure.message


@pytest.mark.parametrize(
    ("starting", "ids"), [("earliest", [1, 2]), ("latest", [2]), ("2100-01-01T00:00:00+00:00", [2])]
)
def test_where_the_first_run_begins(bench: Bench, starting: str, ids: list[int]) -> None:
    bench.topic.send(message(1))
    read = bench.read(starting=starting)
    assert bench.take(reads=read)[0] == 0
    bench.topic.send(message(2))
    code, _ = bench.take("r2", reads=read)
    assert (code, bench.ids()) == (0, ids)


def test_several_topics_and_patterns(bench: Bench) -> None:
    other = f"{bench.topic.name}.b"
    bench.topic.add(other)
    bench.topic.send(message(1), b"nope")
    bench.topic.send(message(2), b"nope", topic=other)
    read = bench.read(kafka=f"{bench.topic.name},{other}")
    code, _ = bench.take(reads=read)
    assert (code, bench.ids(), len(bench.letters())) == (0, [1, 2], 2)
    pattern = bench.read(kafka=f"{bench.topic.name}.*", pattern=True)
    bench.table = bench.table + "_p"
    code, _ = bench.take(reads=pattern)
    assert (code, bench.ids(), len(bench.letters())) == (0, [1, 2], 2)


def test_what_does_not_parse_is_of_its_own_input_alone(bench: Bench) -> None:
    other = f"{bench.topic.name}.b"
    bench.topic.add(other)
    bench.topic.send(message(1), b"nope")
    bench.topic.send(b"2", b"nope too", topic=other)
    mine = bench.read(kafka=f"^{bench.topic.name}$", pattern=True)["events"]
    beside = bench.read(kafka=other, format="csv", schema="id INT")["events"]
    job = (
        "def run(events, other):\n"
        "    both = events.unionByName(other, allowMissingColumns=True)\n"
        "    return both.select('id', 'v')\n"
    )
    reads = {"events": mine, "other": beside}
    code, report = bench.take(reads=reads, job=job, expectations=[])
    assert (code, bench.ids()) == (0, [1, 2]), report.failure
    found = sorted(bytes(row.value) for row in bench.letters())
    assert found == [b"nope", b"nope too"], report.flow


MOSTLY = {**POSITIVE, "kwargs": {**POSITIVE["kwargs"], "mostly": 0.6}}
KEEPS = "def run(events):\n    return events.select('id', 'v', '_kafka')\n"


def test_rows_that_break_a_rule_are_dead_letters_with_their_messages(bench: Bench) -> None:
    bad = [message(2, v=-2.0), b"nope", message(4, v=-4.0)]
    bench.topic.send(message(1), *bad, message(5), message(6), message(7))
    settings = {"job": KEEPS, "expectations": [MOSTLY], "dead_letters": True}
    code, report = bench.take(**settings)
    assert (code, bench.ids()) == (0, [1, 5, 6, 7]), report.failure
    letters = bench.letters()
    assert [bytes(row.value) for row in letters] == bad
    assert [row.offset for row in letters] == [1, 2, 3]
    assert {row.source for row in letters} == {bench.topic.name}
    assert letters[0].reason == "expect_column_values_to_be_between (v)"
    assert report.flow is not None
    assert (report.flow.rows, report.flow.dead, report.verdict) == (4, 3, "pass")
    assert report.judgement is not None
    assert report.judgement.expectations[0].unexpected == 2
    # Above the budget the gate is closed, and nothing of the batch is anywhere.
    bench.topic.send(message(8, v=-8.0))
    code, _ = bench.take("r2", **settings)
    assert (code, bench.ids(), len(bench.letters())) == (HELD, [1, 5, 6, 7], 3)
    code, _ = bench.take("r3", **{**settings, "expectations": []})
    assert (code, bench.ids(), len(bench.letters())) == (0, [1, 5, 6, 7, 8], 3)


@pytest.mark.parametrize("at", ["the batch", "Spark's note"])
def test_a_failure_around_the_publish_leaves_every_row_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    bench.topic.send(message(1), message(2), message(3, v=-3.0))
    settings = {"job": KEEPS, "expectations": [MOSTLY], "dead_letters": True}
    forward = StreamedTable.forward

    def breaking(table: StreamedTable, move: Any) -> int:
        is_dead = table.name.endswith("dead_letters")
        if at == "the batch" and not is_dead:
            raise OSError("gone")
        moved = forward(table, move)
        if not is_dead:
            raise OSError("gone")
        return moved

    with monkeypatch.context() as broken:
        broken.setattr(StreamedTable, "forward", breaking)
        assert bench.take(**settings)[0] == FAILED
    code, _ = bench.take(try_number=2, **settings)
    assert (code, bench.ids()) == (0, [1, 2])
    assert [bytes(row.value) for row in bench.letters()] == [message(3, v=-3.0)]


def _values(format_: str) -> tuple[str | None, Sequence[bytes]]:
    if format_ == "csv":
        return SCHEMA, [b"1,1.0", b"x,1.0"]
    if format_ == "raw":
        return None, [b"1", b"2"]
    fields = [{"name": "id", "type": "int"}, {"name": "v", "type": "double"}]
    schema = {"type": "record", "name": "event", "fields": fields}
    return json.dumps(schema), [b"\x02" + b"\0" * 6 + b"\xf0\x3f", b"\xff"]


@pytest.mark.parametrize(("format_", "dead"), [("csv", 1), ("avro", 1), ("raw", 0)])
def test_formats(bench: Bench, format_: str, dead: int) -> None:
    schema, values = _values(format_)
    bench.topic.send(*values)
    read = bench.read(format=format_, schema=schema)
    job = JOB
    if format_ == "raw":
        job = "def run(events):\n    return events.selectExpr('int(string(value)) AS id')\n"
    code, report = bench.take(reads=read, job=job, expectations=[], compact=1)
    assert (code, bench.ids()) == (0, [1, 2][: 2 - dead]), report.failure
    if dead:
        assert len(bench.letters()) == dead


def test_a_message_of_a_mebibyte(bench: Bench) -> None:
    bench.topic.send(b"x" * 1_000_000, message(1))
    code, _ = bench.take()
    assert (code, bench.ids()) == (0, [1])
    assert len(bench.letters()[0].value) == 1_000_000


def test_a_topic_that_is_not_there(bench: Bench) -> None:
    code, report = bench.take(reads=bench.read(kafka="nobody"))
    assert code == FAILED
    assert report.failure is not None
    assert (report.failure.type, "nobody" in report.failure.message) == ("DataError", True)


def test_a_broker_that_is_down_is_waited_for_and_told(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    quick = {"kafka.default.api.timeout.ms": "6000", "kafka.request.timeout.ms": "3000"}
    with Broker(tmp_path_factory.mktemp("down")) as other:
        bench.topic = Topic(bench.spark, other, bench.topic.name, 1)
        bench.topic.send(message(1))
        read = bench.read(options=quick)
        assert bench.take(reads=read)[0] == 0
        other.kill()
        code, report = bench.take("r2", reads=read)
        assert (code, bench.ids()) == (FAILED, [1])
        assert report.failure is not None
        assert report.failure.type == "ClusterUnavailable", report.failure
        other.start()
        bench.topic.send(message(2))
        code, _ = bench.take("r2", try_number=2, reads=read)
        assert (code, bench.ids()) == (0, [1, 2])


def test_starting_over_is_asked_for_and_told(bench: Bench) -> None:
    bench.topic.send(message(1))
    bench.take()
    for number in (1, 2):
        code, _ = bench.take("again", try_number=number, params={"start_over": True})
        assert (code, bench.ids()) == (0, [1, 1])
    assert "start_over" in bench.told()
    bench.topic.send(message(2))
    code, _ = bench.take("r3")
    assert (code, bench.ids()) == (0, [1, 1, 2])


def test_the_demos_day_is_on_main_or_among_the_dead_letters(bench: Bench, tmp_path: Path) -> None:
    land(tmp_path, "2013-02-11")
    sent = replay.messages(tmp_path / "flights" / "2013-02-11.csv")
    send(bench.topic.servers, bench.topic.name, [message.line for message in sent])
    read = bench.read(schema=constant("live_departures", "DEPARTURE"))
    job = (
        "def run(events):\n    return events.selectExpr('flight AS id', 'carrier', "
        "'_kafka.partition AS p', '_kafka.offset AS o')\n"
    )
    code, report = bench.take(reads=read, job=job, expectations=[], max_per_batch=400)
    assert (code, report.outcome) == (0, "published")
    bench.spark.catalog.refreshTable(bench.table)
    main = bench.spark.table(bench.table).collect()
    letters = bench.letters()
    account = Account(
        name="day",
        good=[message.key for message in sent if message.fate != "broken"],
        broken=[message.value.encode() for message in sent if message.fate == "broken"],
        main=[f"{row.carrier}{row.id}" for row in main],
        dead=[bytes(row.value) for row in letters],
        offsets=[(row.p, row.o) for row in main] + [(row.partition, row.offset) for row in letters],
    )
    assert account.holds, account.line


def test_without_dead_letters_nothing_is_read_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.topic.send(message(1))
    staged: list[Any] = []
    stage = DeadLetters.stage
    monkeypatch.setattr(
        DeadLetters, "stage", lambda self, *of: staged.append(stage(self, *of)) or staged[-1]
    )
    bench.take()
    assert staged == [None]
