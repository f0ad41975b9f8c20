"""A real Hadoop of one machine: HDFS and YARN, of their own jars, in two JVMs that tests talk to.

Two, as the web applications of a ResourceManager and a NodeManager share a static filter: in one
JVM the second takes the first one's addresses, and YARN's REST API answers 404.
"""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from urllib.request import urlopen

import pyspark
from py4j.java_gateway import JavaGateway

HADOOP = ",".join(
    f"org.apache.hadoop:{name}:3.4.2"
    for name in (
        "hadoop-yarn-server-resourcemanager",
        "hadoop-yarn-server-nodemanager",
        "hadoop-yarn-server-timelineservice",
        "hadoop-yarn-client",
        "hadoop-hdfs",
        "hadoop-common",
    )
)
ROOT = Path(__file__).resolve().parents[1]
IVY = ROOT / ".tidegate" / "hadoop"
_OPTIONS = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
]
_LOG4J = """
log4j.rootLogger=INFO,file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.File={log}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%d %p %c{{1}}: %m%n
"""
_QUEUES = {
    "yarn.scheduler.capacity.root.queues": "default,nights",
    "yarn.scheduler.capacity.root.default.capacity": "50",
    "yarn.scheduler.capacity.root.default.maximum-capacity": "100",
    "yarn.scheduler.capacity.root.nights.capacity": "50",
    "yarn.scheduler.capacity.root.nights.maximum-capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "1",
}


def jars() -> str:
    """Return the class path of Hadoop's daemons, which Spark's own Ivy fetches once."""
    folder = IVY / "jars"
    if not (folder / "org.apache.hadoop_hadoop-yarn-client-3.4.2.jar").is_file():
        IVY.mkdir(parents=True, exist_ok=True)
        nothing = IVY / "nothing.py"
        nothing.write_text("")
        command = ["spark-submit", "--master", "local[1]", "--conf", f"spark.jars.ivy={IVY}"]
        environment = {k: v for k, v in os.environ.items() if k != "SPARK_CONF_DIR"}
        command += ["--packages", HADOOP, str(nothing)]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    return f"{folder}/*"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _site(settings: dict[str, str]) -> str:
    rows = [f"<property><name>{k}</name><value>{v}</value></property>" for k, v in settings.items()]
    return f"<configuration>{''.join(rows)}</configuration>"


class Hadoop:
    """A NameNode, a DataNode, a ResourceManager and a NodeManager on the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf_dir = folder / "conf"
        """What clients need to know, and no more."""
        self.conf_dir.mkdir(parents=True)
        self.hdfs = f"hdfs://127.0.0.1:{free_port()}"
        self.webhdfs = free_port()
        rm = {
            f"yarn.resourcemanager.{name}.address": f"127.0.0.1:{free_port()}"
            for name in ("scheduler", "resource-tracker", "admin", "webapp")
        }
        rm["yarn.resourcemanager.hostname"] = "127.0.0.1"
        rm["yarn.resourcemanager.address"] = f"127.0.0.1:{free_port()}"
        self.web = f"http://{rm['yarn.resourcemanager.webapp.address']}"
        core = {"fs.defaultFS": self.hdfs}
        shared = {
            **rm,
            "yarn.log-aggregation-enable": "true",
            "yarn.nodemanager.remote-app-log-dir": "/logs",
            "yarn.resourcemanager.connect.max-wait.ms": "60000",
        }
        (self.conf_dir / "core-site.xml").write_text(_site(core))
        (self.conf_dir / "yarn-site.xml").write_text(_site(shared))
        self._settings = {**core, **shared, **self._private()}
        self._head = self._launch("head", "-Xmx512m")
        self._worker = self._launch("node", "-Xmx256m")

    def _launch(self, role: str, heap: str) -> JavaGateway:
        conf = self.folder / role
        conf.mkdir()
        (conf / "log4j.properties").write_text(_LOG4J.format(log=self.folder / f"{role}.log"))
        (conf / "capacity-scheduler.xml").write_text(_site(_QUEUES))
        # HDFS serves files by HTTP from folders of its distribution, which its jars do not hold.
        for name in ("hdfs", "datanode", "static"):
            (conf / "webapps" / name).mkdir(parents=True)
        with (self.folder / f"{role}.out").open("wb") as out:
            return JavaGateway.launch_gateway(
                classpath=f"{conf}{os.pathsep}{jars()}",
                javaopts=[heap, *_OPTIONS],
                die_on_exit=True,
                redirect_stdout=out,
                redirect_stderr=out,
                cwd=str(self.folder),
            )

    def _conf_of(self, gateway: JavaGateway) -> Any:
        conf = gateway.jvm.org.apache.hadoop.yarn.conf.YarnConfiguration()
        for key, value in self._settings.items():
            conf.set(key, value)
        return conf

    def _private(self) -> dict[str, str]:
        at = self.folder
        return {
            "dfs.namenode.name.dir": f"file://{at}/name",
            "dfs.datanode.data.dir": f"file://{at}/data",
            "dfs.replication": "1",
            "dfs.permissions.enabled": "false",
            "dfs.namenode.http-address": f"127.0.0.1:{self.webhdfs}",
            "dfs.datanode.address": "127.0.0.1:0",
            "dfs.datanode.ipc.address": "127.0.0.1:0",
            "dfs.datanode.http.address": "127.0.0.1:0",
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.namenode.safemode.extension": "0",
            "yarn.resourcemanager.recovery.enabled": "true",
            "yarn.resourcemanager.store.class": (
                "org.apache.hadoop.yarn.server.resourcemanager.recovery.FileSystemRMStateStore"
            ),
            "yarn.resourcemanager.fs.state-store.uri": f"file://{at}/state",
            "yarn.nodemanager.address": "127.0.0.1:0",
            "yarn.nodemanager.hostname": "127.0.0.1",
            "yarn.nodemanager.localizer.address": "127.0.0.1:0",
            "yarn.nodemanager.webapp.address": "127.0.0.1:0",
            "yarn.nodemanager.local-dirs": str(at / "local"),
            "yarn.nodemanager.log-dirs": str(at / "containers"),
            "yarn.nodemanager.resource.memory-mb": "6144",
            "yarn.nodemanager.resource.cpu-vcores": "4",
            "yarn.nodemanager.vmem-check-enabled": "false",
            # Memory is counted process by process: there are no control groups here.
            "yarn.nodemanager.resource.memory.enforced": "false",
            "yarn.nodemanager.disk-health-checker.enable": "false",
            "yarn.nodemanager.sleep-delay-before-sigkill.ms": "2000",
            "yarn.nodemanager.container-monitor.interval-ms": "500",
            "yarn.nodemanager.env-whitelist": "JAVA_HOME,PATH,HOME,LANG",
            "yarn.scheduler.minimum-allocation-mb": "128",
            "yarn.resourcemanager.nm-tokens.master-key-rolling-interval-secs": "86400",
            "yarn.nodemanager.log.deletion-threads-count": "1",
        }

    def __enter__(self) -> Self:
        java = self._head.jvm.org.apache.hadoop
        # Daemons of one JVM may otherwise not bear the same names for their metrics.
        java.metrics2.lib.DefaultMetricsSystem.setMiniClusterMode(True)
        conf = self._conf_of(self._head)
        java.hdfs.server.namenode.NameNode.format(conf)
        self._name = java.hdfs.server.namenode.NameNode(conf)
        none = self._head.new_array(self._head.jvm.java.lang.String, 0)
        self._data = java.hdfs.server.datanode.DataNode.createDataNode(none, conf)
        self.start_manager()
        self._node = self._worker.jvm.org.apache.hadoop.yarn.server.nodemanager.NodeManager()
        self._node.init(self._conf_of(self._worker))
        self._node.start()
        return self

    def start_manager(self) -> None:
        """Start a ResourceManager, which knows what the one before it knew."""
        yarn = self._head.jvm.org.apache.hadoop.yarn
        self._manager = yarn.server.resourcemanager.ResourceManager()
        self._manager.init(self._conf_of(self._head))
        self._manager.start()

    def stop_manager(self) -> None:
        """Stop the ResourceManager; containers run on."""
        self._manager.stop()

    def spark_conf(self) -> list[str]:
        """Return what Spark's defaults say of this cluster."""
        jars = Path(pyspark.__file__).parent / "jars"
        return [
            f"spark.sql.catalog.lake.warehouse {self.hdfs}/lake",
            f"spark.yarn.jars local:{jars}/*",
            "spark.yarn.am.memory 512m",
            "spark.executor.instances 1",
            "spark.executor.memory 512m",
        ]

    def nodes(self) -> int:
        """Return how many nodes YARN has."""
        said = self._get(f"{self.web}/ws/v1/cluster/metrics")
        return int(json.loads(said)["clusterMetrics"]["activeNodes"])

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of HDFS, sorted."""
        said = json.loads(self._files(folder, "LISTSTATUS"))
        return sorted(each["pathSuffix"] for each in said["FileStatuses"]["FileStatus"])

    def read(self, file: str) -> str:
        """Return the text of a file on HDFS."""
        return self._files(file, "OPEN")

    def _files(self, path: str, operation: str) -> str:
        at = f"http://127.0.0.1:{self.webhdfs}/webhdfs/v1{quote(path)}"
        return self._get(f"{at}?op={operation}")

    def _get(self, address: str) -> str:
        with urlopen(address, timeout=30) as answer:
            text: bytes = answer.read()
        return text.decode()

    def __exit__(self, *_: object) -> None:
        for gateway in (self._worker, self._head):
            gateway.java_process.kill()
            gateway.java_process.wait()
            gateway.close()
