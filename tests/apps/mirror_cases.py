"""MirrorMaker 2 between two nodes: topics with their partitions and configuration, exactly once; the offsets of groups
by way of its own topics for offset syncs and checkpoints."""

import collections
import os
import re
import tempfile
import threading
import time

import connect
from connect import Program, records, reference, topics, write_properties
from lib.broker import Broker, ottla_binary
from lib.case import case, check, equal, main, run, wait_for
from lib.wire import Connection

PARTITIONS = 3
RECORDS = 3000
POLICY = {"retention.ms": "123456789", "max.message.bytes": "654321"}
HALF, END = RECORDS // PARTITIONS // 2, RECORDS // PARTITIONS  # offsets in each partition
INTERVALS = (
    "refresh.topics.interval.seconds",
    "refresh.groups.interval.seconds",
    "sync.topic.configs.interval.seconds",
    "sync.group.offsets.interval.seconds",
    "emit.checkpoints.interval.seconds",
    "emit.heartbeats.interval.seconds",
)
FORMATTERS = "org.apache.kafka.connect.mirror.formatters."


def properties(folder, source, target):
    values = {
        "clusters": "a, b",
        "a.bootstrap.servers": source.bootstrap,
        "b.bootstrap.servers": target.bootstrap,
        "a->b.enabled": "true",
        "a->b.topics": "orders",
        "b->a.enabled": "false",
        "b->a.emit.heartbeats.enabled": "false",
        "b.exactly.once.source.support": "enabled",
        "dedicated.mode.enable.internal.rest": "true",
        "listeners": f"http://127.0.0.1:{connect.free_port()}",
        "sync.group.offsets.enabled": "true",
        "offset.lag.max": "0",
        "tasks.max": "2",
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "1000",
        "scheduled.rebalance.max.delay.ms": "0",
        "offset.flush.interval.ms": "1000",
        "replication.factor": "1",
        "plugin.discovery": "service_load",
    }
    for topic in ("offset-syncs.topic", "checkpoints.topic", "heartbeats.topic"):
        values[f"{topic}.replication.factor"] = "1"
    for topic in ("offset", "config", "status"):
        values[f"{topic}.storage.replication.factor"] = "1"
    values.update({f"a->b.{name}": "1" for name in INTERVALS})
    return write_properties(os.path.join(folder, "mirror.properties"), values)


def ottla(broker, *args, stdin=None):
    return run([ottla_binary(), *args, "-b", broker.bootstrap], stdin=stdin)


def produce(broker, first, count):
    """Record i goes to partition i modulo PARTITIONS."""
    for partition in range(PARTITIONS):
        numbers = [i for i in range(first, first + count) if i % PARTITIONS == partition]
        lines = "".join(f"key {i}:value {i}\n" for i in numbers)
        ottla(broker, "produce", "orders", "-p", str(partition), "-k", ":", stdin=lines.encode())


def by_partition(broker, topic, *options):
    """The numbers of the records of each partition, in order."""
    found = collections.defaultdict(list)
    for record in records(broker.bootstrap, topic, *options):
        number = record["value"].removeprefix("value ")
        equal(record["key"], f"key {number}", "the key of a record")
        found[record["partition"]].append(int(number))
    return found


def wanted(count):
    return {p: list(range(p, count, PARTITIONS)) for p in range(PARTITIONS)}


def wait_for_records(broker, count):
    def total():
        return sum(map(len, by_partition(broker, "a.orders").values())) >= count

    wait_for(total, f"{count} records to be mirrored", 90, 0.5)
    equal(by_partition(broker, "a.orders"), wanted(count), "what was mirrored")


def offsets(broker, group, topic):
    with Connection(broker.bootstrap) as connection:
        got = connection.call("OffsetFetch", 7, groupId=group, topics=None)
    return {
        p["partitionIndex"]: p["committedOffset"]
        for t in got["topics"]
        if t["name"] == topic
        for p in t["partitions"]
    }


def rest(broker, group):
    """What a member of the group would read at the target, and where it would begin."""
    found, begins = {}, offsets(broker, group, "a.orders")
    for partition, offset in begins.items():
        got = by_partition(broker, "a.orders", "-p", str(partition), "--from", str(offset))
        found[partition] = got[partition]
    return found


def wait_for_end(broker, group):
    """Checkpoints come nearer step by step; gives the offsets of a group that has nothing left to read."""

    def at_end():
        left = rest(broker, group)
        return len(left) == PARTITIONS and not any(left.values())

    wait_for(at_end, f"{group} to be mirrored to its end", 60, 0.5)
    return offsets(broker, group, "a.orders")


def formatted(broker, topic, formatter):
    """The records of one of MirrorMaker's own topics, as its formatter shows them."""
    command = reference.tool("console-consumer", "--bootstrap-server", broker.bootstrap, "--topic", topic)
    more = ["--from-beginning", "--timeout-ms", "10000", "--formatter", FORMATTERS + formatter]
    return run(command + more, seconds=90).splitlines()


def configuration(broker, topic):
    with Connection(broker.bootstrap) as connection:
        got = connection.call("DescribeConfigs", 4, resources=[{"resourceType": 2, "resourceName": topic}])
    configs = {c["name"]: c["value"] for c in got["results"][0]["configs"]}
    return {name: configs.get(name) for name in POLICY}


def partitions(broker, topic):
    with Connection(broker.bootstrap) as connection:
        got = connection.call("Metadata", 1, topics=[{"name": topic}])
    return len(got["topics"][0]["partitions"])


def check_own_topics(source, target):
    syncs = formatted(source, "mm2-offset-syncs.b.internal", "OffsetSyncFormatter")
    check(any("orders" in line for line in syncs), f"no offset syncs: {syncs[:3]}")
    checkpoints = formatted(target, "a.checkpoints.internal", "CheckpointFormatter")
    for group, upstream in (("behind", HALF), ("done", END)):
        for partition, downstream in offsets(target, group, "a.orders").items():
            check(
                any(is_checkpoint(line, group, partition, upstream, downstream) for line in checkpoints),
                f"no checkpoint of {group} in {partition}, {upstream} to {downstream}: {checkpoints[-5:]}",
            )
    check(records(target.bootstrap, "heartbeats"), "no heartbeats")


def is_checkpoint(line, group, partition, upstream, downstream):
    numbers = [int(n) for n in re.findall(r"(?:[pP]artition|upstreamOffset|downstreamOffset)\D*(\d+)", line)]
    return f"consumerGroupId={group}," in line and numbers == [partition, upstream, downstream]


def pieces(broker, first, count, size):
    for at in range(first, first + count, size):
        produce(broker, at, size)
        time.sleep(0.1)


@case(seconds=400, needs=["java"], alone=True)
def two_nodes():
    """One group is at the end of the first half and stays there, one at the end of all. MirrorMaker is killed while it
    mirrors the second half."""
    kind = os.environ.get("BROKER", "ottla")
    with tempfile.TemporaryDirectory() as folder, Broker(kind).start() as a, Broker(kind).start() as b:
        settings = [w for name, value in POLICY.items() for w in ("-c", f"{name}={value}")]
        ottla(a, "topic", "create", "orders", "-p", str(PARTITIONS), *settings)
        produce(a, 0, RECORDS // 2)
        ottla(a, "group", "reset", "behind", "--topic", "orders", "--to", "latest", "--execute")
        with Program("org.apache.kafka.connect.mirror.MirrorMaker", properties(folder, a, b)) as mirror:
            wait_for(lambda: "a.orders" in topics(b.bootstrap), "the topic to be made", 120, 0.5)
            wait_for_records(b, RECORDS // 2)
            before = wait_for_end(b, "behind")
            equal(configuration(b, "a.orders"), POLICY, "the configuration at the target")
            feeder = threading.Thread(target=pieces, args=(a, RECORDS // 2, RECORDS // 2, 75), daemon=True)
            feeder.start()
            wait_for(lambda: len(records(b.bootstrap, "a.orders")) > RECORDS // 2, "the second half", 60)
            mirror.kill()
            mirror.start()
            feeder.join()
            ottla(a, "group", "reset", "done", "--topic", "orders", "--to", "latest", "--execute")
            equal(offsets(a, "done", "orders"), {p: END for p in range(PARTITIONS)}, "the group at the source")
            wait_for_records(b, RECORDS)
            wait_for_end(b, "done")
            equal(offsets(b, "behind", "a.orders"), before, "the group that stayed")
            later = {p: [i for i in n if i >= RECORDS // 2] for p, n in wanted(RECORDS).items()}
            equal(rest(b, "behind"), later, "what is left for the group that stayed")
            ottla(a, "topic", "alter", "orders", "-p", str(PARTITIONS + 1))
            wait_for(lambda: partitions(b, "a.orders") == PARTITIONS + 1, "the new partition", 60, 0.2)
            check_own_topics(a, b)
            mirror.stop()


if __name__ == "__main__":
    main()
