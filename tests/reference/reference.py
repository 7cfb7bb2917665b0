"""Apache Kafka 4.3.1, the reference that ottla is compared with: fetched from its published artifacts with
Maven, formatted, started, stopped, and its command line tools run against any broker. `kafka` beside this
file is the same as a command.

The jars are kept in $KAFKA_REF_HOME/libs (default ~/.cache/kafka-reference/libs) and reused when all of them
are there. Without Java, Maven or the network every entry raises Unavailable, whose text begins with
'unavailable: ': tests are then skipped.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "4.3.1"
HOME = os.environ.get("KAFKA_REF_HOME") or os.path.expanduser("~/.cache/kafka-reference")
LIBS = os.path.join(HOME, "libs")
NEEDED = [
    "kafka_2.13",
    "kafka-clients",
    "kafka-tools",
    "kafka-shell",
    "kafka-raft",
    "kafka-metadata",
    "kafka-storage",
    "kafka-server",
    "kafka-server-common",
    "kafka-group-coordinator",
    "kafka-transaction-coordinator",
    "kafka-streams",
    "connect-runtime",
    "connect-file",
    "connect-mirror",
]
CLUSTER_ID = "b3R0bGEtdGVzdHMtMDAwMA"
# Short-lived JVMs: the first compiler only, the serial collector.
QUICK = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]

TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "acls": "org.apache.kafka.tools.AclCommand",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "verifiable-share-consumer": "org.apache.kafka.tools.VerifiableShareConsumer",
    "transactional-message-copier": "org.apache.kafka.tools.TransactionalMessageCopier",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "metadata-shell": "org.apache.kafka.shell.MetadataShell",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "storage": "kafka.tools.StorageTool",
}


class Unavailable(Exception):
    """The reference cannot run on this machine; the text says why."""

    def __init__(self, reason):
        super().__init__(f"unavailable: {reason}")


def complete():
    return all(os.path.exists(os.path.join(LIBS, f"{jar}-{VERSION}.jar")) for jar in NEEDED)


def install():
    """Fetches the jars once. Two processes that need them at the same time fetch them once."""
    if not shutil.which("java"):
        raise Unavailable("java is not installed")
    if complete():
        return
    if not shutil.which("mvn"):
        raise Unavailable("mvn is not installed, and the jars of Apache Kafka are not in " + LIBS)
    os.makedirs(LIBS, exist_ok=True)
    with open(os.path.join(HOME, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete():
            return
        got = subprocess.run(
            [
                "mvn",
                "-q",
                "-B",
                "-f",
                os.path.join(HERE, "pom.xml"),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={LIBS}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if got.returncode or not complete():
            lines = [s for s in (got.stdout + got.stderr).splitlines() if s.strip()] or ["no output"]
            raise Unavailable(f"mvn could not fetch Apache Kafka {VERSION}: {lines[0][:200]}")


def java(main, *args, options=(), heap="256m"):
    """The command line that runs a class of the reference; KAFKA_REFERENCE_MORE is a folder of further classes."""
    install()
    return [
        "java",
        f"-Xmx{heap}",
        *(options or QUICK),
        f"-Dlog4j2.configurationFile={HERE}/log4j2.properties",
        "-cp",
        os.pathsep.join([os.path.join(LIBS, "*"), *filter(None, [os.environ.get("KAFKA_REFERENCE_MORE")])]),
        main,
        *args,
    ]


def tool(name, *args):
    """The command line of one of Kafka's own tools."""
    return java(TOOLS[name], *args)


def properties(folder, port, controller_port, extra=None):
    """server.properties of one combined node, as a dict."""
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": os.path.join(os.path.abspath(folder), "data"),
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    values.update(extra or {})
    return values


def write_properties(folder, values):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "server.properties")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(f"{key}={value}\n" for key, value in values.items())
    return path


def format_storage(folder, *args):
    """Formats the log.dirs that folder/server.properties names, as kafka-storage.sh does."""
    got = subprocess.run(
        tool(
            "storage",
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
            os.path.join(folder, "server.properties"),
            "--ignore-formatted",
            *args,
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        raise RuntimeError(f"kafka-storage format failed: {got.stdout}{got.stderr}")
    return got.stdout


def start(folder, port, heap="512m", seconds=60):
    """Starts the broker of folder/server.properties and waits until its port answers. Its output goes to
    folder/server.log."""
    command = java(
        "kafka.Kafka",
        os.path.join(folder, "server.properties"),
        heap=heap,
        options=["-XX:TieredStopAtLevel=1", "-XX:+UseG1GC", "-Xshare:auto"],
    )
    with open(os.path.join(folder, "server.log"), "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.1)
    stop(process, 1)
    with open(os.path.join(folder, "server.log"), encoding="utf-8", errors="replace") as log:
        raise RuntimeError(f"Apache Kafka did not start on port {port}:\n" + "".join(log.readlines()[-20:]))


def stop(process, seconds=30):
    """Stops a process that start() gave: SIGTERM, and SIGKILL when that was not enough. True: it ended by
    itself."""
    if process.poll() is not None:
        return True
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
