"""Starts without a configuration file: the first one, one that a kill cut short, and what the metadata log says of a
crash and of several directories."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

from lib import wire
from lib.broker import free_port, ottla_binary
from lib.case import case, check, equal, main, wait_for
from lib.records import batch

NOT_LEADER_OR_FOLLOWER = 6


class Node:
    """`ottla server` on directories that it makes itself."""

    def __init__(self, directories=1):
        self.folder, self.port = tempfile.mkdtemp(prefix="ottla-start-"), free_port()
        self.dirs = [os.path.join(self.folder, "new", str(i)) for i in range(directories)]
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder)

    def start(self):
        settings = [f"listeners=PLAINTEXT://127.0.0.1:{self.port}", "log.dirs=" + ",".join(self.dirs)]
        command = [ottla_binary(), "server"] + [x for s in settings for x in ("--override", s)]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, "an answer", 10, pause=0.0005)

    def answers(self):
        try:
            with self.connection() as c:
                return c.call("ApiVersions", 0)["apiKeys"]
        except (OSError, wire.Closed):
            return None

    def connection(self):
        return wire.Connection(f"127.0.0.1:{self.port}")

    def end(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        return self.process.returncode if self.process else 0

    def create(self, name, partitions):
        with self.connection() as c:
            topic = {"name": name, "numPartitions": partitions, "replicationFactor": 1}
            equal(c.call("CreateTopics", 7, topics=[topic], timeoutMs=10000)["topics"][0]["errorCode"], 0, name)

    def produce(self, topic, records):
        with self.connection() as c:
            data = [{"name": topic, "partitionData": [{"index": 0, "records": records}]}]
            answer = c.call("Produce", 9, acks=-1, timeoutMs=10000, topicData=data)
            return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def end_offset(self, topic):
        with self.connection() as c:
            partitions = [{"partitionIndex": 0, "currentLeaderEpoch": -1, "timestamp": -1}]
            topics = [{"name": topic, "partitions": partitions}]
            answer = c.call("ListOffsets", 5, replicaId=-1, isolationLevel=0, topics=topics)
            found = answer["topics"][0]["partitions"][0]
            return found["errorCode"], found["offset"]

    def topics(self):
        with self.connection() as c:
            return [t["name"] for t in c.call("Metadata", 9, topics=None)["topics"]]

    def cluster(self):
        with self.connection() as c:
            return c.call("Metadata", 9, topics=[])["clusterId"]

    def records(self, kind):
        """What the metadata log holds of a kind of record."""
        log = os.path.join(self.dirs[0], "__cluster_metadata-0", "0" * 20 + ".log")
        command = [ottla_binary(), "log", "dump", "--json", log]
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
        found = []
        for line in out.splitlines():
            payload = json.loads(line).get("payload") or {}
            if payload.get("type") == kind:
                found.append(payload["data"])
        return found


@case(seconds=60, needs=())
def a_first_start_may_be_killed():
    """Killed as soon as it answers, it may be formatted or not; what it promised before a kill is there after it."""
    for _ in range(10):
        with Node() as node:
            node.start()
            node.end(signal.SIGKILL)
            node.start()
            node.create("kept", 1)
            cluster = node.cluster()
            node.end(signal.SIGKILL)
            node.start()
            equal((node.cluster(), node.topics()), (cluster, ["kept"]), "after the second kill")
            equal(node.end(), 0, "the stop")


@case(seconds=60, needs=())
def partitions_are_never_formatted_over():
    """Where partitions lie a lost meta.properties is no first start."""
    with Node() as node:
        node.start()
        node.end()
        os.mkdir(os.path.join(node.dirs[0], "orders-0"))
        os.unlink(os.path.join(node.dirs[0], "meta.properties"))
        got = subprocess.run(
            [ottla_binary(), "server", "--override", "log.dirs=" + node.dirs[0], "--override",
             f"listeners=PLAINTEXT://127.0.0.1:{node.port}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        equal(got.returncode, 1, "status")
        check("is not formatted" in got.stderr, got.stderr)
        check(os.path.isdir(os.path.join(node.dirs[0], "orders-0")), "the partition is left alone")


@case(seconds=60, needs=())
def after_a_power_cut_logs_are_read():
    """A log that a power cut left is read by a worker: its clients are asked to come again, the others are served,
    and nothing of it is lost. (Without .ottla-boot a kill counts as a power cut.)"""
    with Node() as node:
        node.start()
        node.create("large", 1)
        records = batch([b"x" * 900_000], now=1_700_000_000_000)
        for _ in range(60):
            equal(node.produce("large", records), 0, "produce")
        node.end(signal.SIGKILL)
        os.unlink(os.path.join(node.dirs[0], ".ottla-boot"))
        node.start()
        seen = set()

        def end_offset():
            code, offset = node.end_offset("large")
            seen.add(code)
            return offset if not code else None

        equal(wait_for(end_offset, "the log's end", 20, pause=0.001), 60, "the end after recovery")
        check(seen <= {0, NOT_LEADER_OR_FOLLOWER}, f"answers meanwhile: {seen}")
        equal(node.produce("large", records), 0, "produce")
        equal(node.end_offset("large"), (0, 61), "the end")
        equal(node.end(), 0, "the stop")


@case(seconds=60, needs=())
def the_metadata_log_says_where_and_how():
    """Each start registers the controller; several directories are reported; after a crash RECOVERING ends."""
    with Node(directories=2) as node:
        node.start()
        node.create("spread", 4)

        def placed():
            changes = [r for r in node.records("PARTITION_CHANGE_RECORD") if r.get("directories")]
            return changes if len(changes) == 4 else None

        directories = {tuple(r["directories"]) for r in wait_for(placed, "four directories", 10)}
        equal(len(directories), 2, "directories in use")
        node.end(signal.SIGKILL)
        node.start()

        def recovered():
            states = [r.get("leaderRecoveryState") for r in node.records("PARTITION_CHANGE_RECORD")]
            return states.count(1) == 4 and states.count(0) == 4

        wait_for(recovered, "RECOVERED after RECOVERING", 10)
        equal(len(node.records("REGISTER_CONTROLLER_RECORD")), 2, "registrations of the controller")
        equal(node.end(), 0, "the stop")


if __name__ == "__main__":
    main()
