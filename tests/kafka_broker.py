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

KAFKA = "org.apache.kafka:kafka_2.13:4.1.1,org.apache.kafka:kafka-tools:4.1.1"
ROOT = Path(__file__).resolve().parents[1]
IVY = ROOT / ".tidegate" / "kafka"
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


def jars() -> str:
    """Return the class path of a broker, which Spark's own Ivy fetches once."""
    folder = IVY / "jars"
    if not (folder / "org.apache.kafka_kafka-tools-4.1.1.jar").is_file():
        IVY.mkdir(parents=True, exist_ok=True)
        nothing = IVY / "nothing.py"
        nothing.write_text("")
        command = ["spark-submit", "--master", "local[1]", "--conf", f"spark.jars.ivy={IVY}"]
        environment = {k: v for k, v in os.environ.items() if k != "SPARK_CONF_DIR"}
        command += ["--packages", KAFKA, str(nothing)]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    # Ivy leaves out what every Spark has.
    (scala,) = Path(pyspark.__file__).parent.glob("jars/scala-library-*.jar")
    return f"{folder}/*{os.pathsep}{scala}"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One broker; what it has stored outlives a kill and a restart."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = folder / "server.properties"
        self._log = folder / "broker.log"
        text = _SETTINGS.format(port=self.port, controller=free_port(), logs=folder / "logs")
        self._settings.write_text(text + more)
        self._process: subprocess.Popen[bytes] | None = None
        self._tool("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw",
                   "-c", str(self._settings))  # fmt: skip

    @property
    def servers(self) -> str:
        """Where clients find it."""
        return f"localhost:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder / "logs", ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_JAVA, "-cp", jars(), "kafka.Kafka", str(self._settings)],
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.2)

    def topic(self, name: str, partitions: int) -> None:
        """Create a topic."""
        self._tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.servers,
                   "--create", "--topic", name, "--partitions", str(partitions))  # fmt: skip

    def send(self, topic: str, lines: Iterable[str]) -> None:
        """Send a message a line, ``key|value``."""
        self._tool("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", self.servers,
                   "--topic", topic, "--property", "parse.key=true",
                   "--property", "key.separator=|", said="\n".join(lines))  # fmt: skip

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill it with -9, if it lives."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._log.write_bytes(b"")

    def _tool(self, main: str, *arguments: str, said: str = "") -> None:
        command = [*_JAVA, "-cp", jars(), main, *arguments]
        done = subprocess.run(  # noqa: PLW1510  (what it says is told below)
            command, input=said.encode(), capture_output=True, cwd=self.folder
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
