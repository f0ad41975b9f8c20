"""What attempts share that one Spark application serves in turn: attach, tidy up, compare.

PySpark knows one Python process for an application; each attempt here has its own. What one of them
could leave to the next lies in the JVM: this file takes away what it can, and tells by digests
whether the rest is as it was.
"""

import json
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaObject
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from tidegate.driver.jvm import java_session, jvm_of, stages_of, start_jvm, status_store

_ROOT = "tidegate_root"
_MIB = 2**20
_BY_SPARK = "arrow.enable_"
"""Begins the names of properties that Spark sets by itself, as soon as it needs Arrow."""


def keep_root(spark: SparkSession) -> None:
    """Have the gateway keep a session that no attempt works in: all of theirs come from it.

    Borrowed (``GATEWAY_SERVER``, ``putObject``) because a session is else known to the process
    alone that made it; without it, an attempt's session would come from the one before.
    """
    _gateway().putObject(_ROOT, java_session(spark.newSession()))


def attach() -> SparkSession:
    """Return a new session of the application that runs in this JVM, for this process.

    Borrowed (``JavaSparkContext``, ``getBindings``) because PySpark starts an application
    where its process knows none; without it, no process but the first could use it.
    """
    start_jvm()
    jvm: Any = SparkContext._jvm
    running = jvm.org.apache.spark.SparkContext.getOrCreate()
    java = jvm.JavaSparkContext.fromSparkContext(running)
    context = SparkContext(conf=SparkConf(_jconf=running.conf()), jsc=java)
    fresh = _gateway().getBindings()[_ROOT].newSession()
    # It becomes the JVM's default as well: Java code that asks for "the" session, as Iceberg's
    # does, must not get another attempt's.
    return SparkSession(context, jsparkSession=fresh)


def next_stage(spark: SparkSession) -> int:
    """Return the number below which all Spark stages are those of attempts before this one."""
    context = spark.sparkContext
    numbers = [stage.stageId() for stage in stages_of(context, status_store(context))]
    return max(numbers, default=-1) + 1


def newest_object() -> int:
    """Return the number of an object that py4j's gateway is given now; later ones have more.

    Borrowed (``_target_id``) because the gateway forgets no object of a process that has ended;
    without it, all that an attempt has touched would stay in memory.
    """
    start_jvm()
    jvm: Any = SparkContext._jvm
    return _number(jvm.java.lang.Object()._target_id)


def scratch_of(spark: SparkSession) -> Path:
    """Return the folder where this process keeps what it broadcasts and parallelizes.

    Borrowed (``_temp_dir``) because Spark clears it when the application ends; without it, the
    disk of a driver that serves many attempts would fill.
    """
    return Path(spark.sparkContext._temp_dir)


def file_systems(spark: SparkSession) -> dict[str, Any]:
    """Return the file systems that Hadoop keeps open, by what it keeps them under.

    Borrowed (``CACHE``, its ``map``) because Hadoop keeps each as it was first opened, whatever
    conf is given next; without it, an attempt would reach a store as the one before did.
    """
    java: Any = spark.sparkContext._jsc
    base = jvm_of(spark).org.apache.hadoop.fs.FileSystem.getLocal(java.hadoopConfiguration())
    kind = base.getClass()
    while not kind.getName().endswith(".fs.FileSystem"):
        kind = kind.getSuperclass()
    cache = _value(kind, "CACHE", None)
    kept = _value(cache.getClass(), "map", cache)
    return {key.toString(): kept.get(key) for key in kept.keySet().toArray()}


def _value(kind: Any, name: str, of: Any) -> Any:
    field = kind.getDeclaredField(name)
    field.setAccessible(True)
    return field.get(of)


def tidy(spark: SparkSession, newest: int, kept: Collection[str]) -> None:
    """Take away what the attempts before have left in the application.

    Borrowed (``sharedState``, ``checkpointDir_$eq``, ``getBindings``) because frames that are
    cached, global views, a folder for checkpoints and the objects of a process outlive it; without
    it, the next attempt would find them, and memory would fill.

    :param newest: what :func:`newest_object` said before this process touched anything.
    :param kept: the file systems that were open before any attempt.
    """
    shared = java_session(spark).sharedState()
    shared.cacheManager().clearCache()
    shared.globalTempViewManager().clear()
    java: Any = spark.sparkContext._jsc
    for rdd in list(java.getPersistentRDDs().values()):
        rdd.unpersist(True)
    getattr(java.sc(), "checkpointDir_$eq")(jvm_of(spark).scala.Option.empty())
    for name, files in file_systems(spark).items():
        if name not in kept:
            files.close()
    bindings = _gateway().getBindings()
    for name in list(bindings):
        # What has another name is no process's own: the server, and the root of all sessions.
        if name.startswith("o") and _number(name) < newest:
            bindings.remove(name)


def used_mib(spark: SparkSession) -> int:
    """Return the JVM's heap that is in use once its garbage is collected, in MiB.

    Borrowed (``_jvm``) because PySpark tells nothing of it; without it, a leak would grow unseen.
    """
    runtime = jvm_of(spark).java.lang.Runtime.getRuntime()
    runtime.gc()
    return int((runtime.totalMemory() - runtime.freeMemory()) / _MIB)


def traces(spark: SparkSession) -> dict[str, str]:
    """Return a digest of each thing in the application that must stay as it was at its start.

    Borrowed (``hadoopConfiguration``, ``sharedState``, ``listFiles``, log4j's levels, …) because
    each of them outlives the session of whoever changed it; without it, a change would be the next
    attempt's surprise.
    """
    jvm = jvm_of(spark)
    java: Any = spark.sparkContext._jsc
    context = java.sc()
    shared = java_session(spark).sharedState()
    found: dict[str, Any] = {
        "Spark's conf": _lines(context.getConf().toDebugString()),
        "Hadoop's conf": _hadoop(jvm, java.hadoopConfiguration()),
        "added files": _lines(context.listFiles().mkString("\n")),
        "added jars": _lines(context.listJars().mkString("\n")),
        "added archives": _lines(context.listArchives().mkString("\n")),
        "tables of the session catalog": _tables(shared.externalCatalog().unwrapped()),
        "log levels": _levels(jvm),
        "time zone": jvm.java.util.TimeZone.getDefault().getID(),
        "locale": jvm.java.util.Locale.getDefault().toString(),
        "listeners": _listeners(context.listenerBus().listeners()),
        "streaming queries": shared.activeStreamingQueries().size(),
        "running jobs": list(spark.sparkContext.statusTracker().getActiveJobsIds()),
    }
    found |= _properties(jvm.java.lang.System.getProperties())
    return {name: sha256(json.dumps(value).encode()).hexdigest() for name, value in found.items()}


def _gateway() -> Any:
    gateway: Any = SparkContext._gateway
    return JavaObject("GATEWAY_SERVER", gateway._gateway_client).getGateway()


def _number(name: str) -> int:
    return int(name[1:])


def _listeners(listeners: Any) -> list[str]:
    names = [listener.getClass().getName() for listener in listeners]
    # Spark's own come and go with sessions.
    foreign = [name for name in names if not name.startswith("org.apache.spark.")]
    return sorted(foreign)


def _lines(text: Any) -> list[str]:
    return sorted(str(text).splitlines())


def _hadoop(jvm: Any, conf: Any) -> list[str]:
    out = jvm.java.io.StringWriter()
    conf.writeXml(out)
    return str(out.toString()).replace("><", ">\n<").splitlines()


def _properties(properties: Any) -> dict[str, str]:
    names = _lines(properties.stringPropertyNames().toString()[1:-1].replace(", ", "\n"))
    ours = [name for name in names if not name.startswith(_BY_SPARK)]
    return {f"system property {name}": properties.getProperty(name) for name in ours}


def _tables(catalog: Any) -> list[str]:
    if catalog.getClass().getSimpleName() != "InMemoryCatalog":
        return []  # a metastore outlives any application, and others write to it
    found = []
    for database in _lines(catalog.listDatabases().mkString("\n")):
        found.append(database)
        found += _lines(catalog.listTables(database).mkString("\n"))
        found += _lines(catalog.listFunctions(database, "*").mkString("\n"))
    return found


def _levels(jvm: Any) -> list[str]:
    context = jvm.org.apache.logging.log4j.LogManager.getContext(False)
    loggers = context.getConfiguration().getLoggers()
    return sorted(f"{name}={loggers[name].getLevel().toString()}" for name in loggers)
