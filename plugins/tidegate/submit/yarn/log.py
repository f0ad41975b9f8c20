"""The log of a driver on YARN, as YARN has gathered it; every name of Hadoop's that this borrows.

YARN's own program for it (``LogsCLI``) cannot run by the jars of Spark's wheel, which lack a class
that it needs (3.4.2: jettison's); what it calls can. Hadoop's file of container logs is its own
format, so a JVM reads it, asked by py4j, which every pyspark brings.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError

_SERVER = ("py4j.GatewayServer", "--enable-auth", "--die-on-broken-pipe", "0")
_KINDS = ("stdout", "stderr")
_GRACE_SECONDS = 10


def driver_log(program: str, environment: Mapping[str, str], application: str, most: int) -> bytes:
    """Return the end of a driver's log, of an application that has ended; empty without one.

    :param program: Spark's ``spark-class``.
    :param most: how many bytes at most, of each of its two streams.
    """
    try:
        with _java((program, *_SERVER), environment) as jvm:
            return _gathered(jvm, application, most)
    except (Py4JError, OSError, ValueError):
        return b""  # the report says how it went; the log is for people


@contextmanager
def _java(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Any]:
    # It ends with this process: its input is closed then.
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None  # noqa: S101  # asked for above
    try:
        port, token = (process.stdout.readline().decode().strip() for _ in range(2))
        reached = GatewayParameters(
            port=int(port),
            auth_token=token,
            auto_convert=True,
            # Java's objects go with their JVM: nobody is to be told that Python is done with them.
            enable_memory_management=False,
        )
        gateway = JavaGateway(gateway_parameters=reached)
        try:
            yield gateway.jvm
        finally:
            gateway.close()
    finally:
        process.kill()
        process.wait(_GRACE_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _gathered(jvm: Any, application: str, most: int) -> bytes:
    """Read both streams of the container that the driver ran in.

    Borrowed (``LogAggregationFileControllerFactory``, ``ContainerLogsRequest``) because Hadoop has
    no public way to its container logs; without it, a dead driver's last words stay on the cluster.
    """
    yarn = jvm.org.apache.hadoop.yarn
    conf = yarn.conf.YarnConfiguration()
    client = yarn.client.api.YarnClient.createYarnClient()
    client.init(conf)
    client.start()
    app = yarn.api.records.ApplicationId.fromString(application)
    report = client.getApplicationReport(app)
    attempt = client.getApplicationAttemptReport(report.getCurrentApplicationAttemptId())
    gathered = yarn.logaggregation
    controllers = gathered.filecontroller.LogAggregationFileControllerFactory(conf)
    out = jvm.java.io.ByteArrayOutputStream()
    for kind in _KINDS:
        asked = gathered.ContainerLogsRequest()
        asked.setAppId(app)
        asked.setAppOwner(report.getUser())
        asked.setContainerId(attempt.getAMContainerId().toString())
        asked.setLogTypes({kind})
        asked.setBytes(-most)
        controllers.getFileControllerForRead(app, report.getUser()).readAggregatedLogs(asked, out)
    return bytes(out.toByteArray())
