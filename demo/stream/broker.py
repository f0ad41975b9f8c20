"""A real Kafka broker of one process, started from its jars: no container, no service."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import pyspark

from demo.server import PROJECT, free_port

KAFKA = "org.apache.kafka:kafka_2.13:4.1.1,org.apache.kafka:kafka-tools:4.1.1"
IVY = PROJECT / ".tidegate" / "kafka"
READY_SECONDS = 120
_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:{controller}
listeners=PLAINTEXT://localhost:{port},CONTROLLER://localhost:{controller}
advertised.listeners=PLAINTEXT://localhost:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
log.retention.check.interval.ms=1000
"""
_JAVA = ("java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LONGEST_TOLD = 3000


def jars() -> str:
    """Return the class path of a broker, which Spark's own Ivy fetches once.

    :raises RuntimeError: if it cannot.
    """
    folder = IVY / "jars"
    if not (folder / "org.apache.kafka_kafka-tools-4.1.1.jar").is_file():
        IVY.mkdir(parents=True, exist_ok=True)
        nothing = IVY / "nothing.py"
        nothing.write_text("")
        command = ["spark-submit", "--master", "local[1]", "--conf", f"spark.jars.ivy={IVY}"]
        environment = {k: v for k, v in os.environ.items() if k != "SPARK_CONF_DIR"}
        _run([*command, "--packages", KAFKA, str(nothing)], environment=environment)
    # Ivy leaves out what every Spark has.
    (scala,) = Path(pyspark.__file__).parent.glob("jars/scala-library-*.jar")
    return f"{folder}/*{os.pathsep}{scala}"


def add_topic(servers: str, name: str, partitions: int) -> None:
    """Create a topic.

    :raises RuntimeError: if the broker does not.
    """
    words = ["--create", "--topic", name, "--partitions", str(partitions)]
    _tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", servers, *words)


def send(servers: str, topic: str, lines: Iterable[str]) -> None:
    """Send a message a line, ``key|value``.

    :raises RuntimeError: if the broker does not take them.
    """
    words = ["--topic", topic, "--property", "parse.key=true", "--property", "key.separator=|"]
    said = "\n".join(lines)
    _tool(
        "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", servers, *words, said=said
    )


class Broker:
    """One broker; what it has stored outlives a kill and a restart."""

    def __init__(self, folder: Path, more: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._settings = folder / "server.properties"
        self._log = folder / "broker.log"
        text = _SETTINGS.format(port=self.port, controller=free_port(), logs=folder / "logs")
        self._settings.write_text(text + more)
        self._process: subprocess.Popen[bytes] | None = None
        words = ["format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(self._settings)]
        _tool("kafka.tools.StorageTool", *words)

    @property
    def servers(self) -> str:
        """Where clients find it."""
        return f"localhost:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # Who is interrupted here never comes to __exit__.
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder / "logs", ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers.

        :raises RuntimeError: if it does not.
        """
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_JAVA, "-cp", jars(), "kafka.Kafka", str(self._settings)],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-_LONGEST_TOLD:]
                raise RuntimeError(f"the broker did not answer; its log is {self._log}:\n{said}")
            time.sleep(0.2)

    def topic(self, name: str, partitions: int) -> None:
        """Create a topic.

        :raises RuntimeError: if it is not made.
        """
        add_topic(self.servers, name, partitions)

    def send(self, topic: str, lines: Iterable[str]) -> None:
        """Send a message a line, ``key|value``.

        :raises RuntimeError: if they are not taken.
        """
        send(self.servers, topic, lines)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill it with -9, if it lives."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def _tool(main: str, *arguments: str, said: str = "") -> None:
    _run([*_JAVA, "-cp", jars(), main, *arguments], said)


def _run(command: list[str], said: str = "", environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, input=said.encode(), capture_output=True, env=environment, check=False
    )
    if done.returncode:
        told = (done.stdout + done.stderr).decode(errors="replace")[-_LONGEST_TOLD:]
        raise RuntimeError(f"{command[0]} … {command[-1]} failed ({done.returncode}):\n{told}")
