"""The verbs of tests/lib/suite.py with the Java clients, through Apache Kafka's own tools: console producer
and consumer, verifiable consumer, and the administration tools."""

import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

from lib.case import check, equal, run, wait_for  # noqa: E402  pylint: disable=wrong-import-position
from lib.verbs import Pending, dispatch, say  # noqa: E402  pylint: disable=wrong-import-position

BOOTSTRAP = os.environ["BOOTSTRAP"]
SERVER = ["--bootstrap-server", BOOTSTRAP]
ASSIGNORS = {
    "range": "RangeAssignor",
    "roundrobin": "RoundRobinAssignor",
    "cooperative-sticky": "CooperativeStickyAssignor",
}


def tool(name, *args, **options):
    return run(reference.tool(name, *[str(a) for a in args]), **options)


def produce(topic, partition, codec):
    """The console producer has no option for a partition: with a topic of one partition none is needed."""
    lines = []
    for line in sys.stdin:
        key, value, header = line.rstrip("\n").split("\t")
        lines.append("\t".join([header, key, value]))
    options = [
        "parse.key=true",
        "parse.headers=true",
        "key.separator=\t",
        "headers.delimiter=\t",
        "headers.key.separator==",
        "null.marker=\\N",
    ]
    tool(
        "console-producer",
        *SERVER,
        "--topic",
        topic,
        "--compression-codec",
        codec,
        "--command-property",
        "linger.ms=5",
        *[w for o in options for w in ("--reader-property", o)],
        stdin="".join(s + "\n" for s in lines).encode(),
    )


def offset(topic, partition, time):
    """get-offsets prints TOPIC:PARTITION:OFFSET."""
    printed = tool("get-offsets", *SERVER, "--topic", topic, "--partitions", partition, "--time", time)
    return int(re.search(rf"{re.escape(topic)}:{partition}:(\d+)", printed)[1])


def consume(topic, partition, start, count):
    end = offset(topic, partition, -1)
    first = {"beginning": lambda: offset(topic, partition, -2), "end": lambda: end}.get(start)
    first = first() if first else offset(topic, partition, start[1]) if isinstance(start, tuple) else start
    say("ready")
    count = end - first if count < 0 else count
    if count == 0:
        return
    options = ["print.offset=true", "print.headers=true", "print.key=true", "null.literal=\\N"]
    printed = tool(
        "console-consumer",
        *SERVER,
        "--topic",
        topic,
        "--partition",
        partition,
        "--offset",
        first,
        "--max-messages",
        count,
        *[w for o in options for w in ("--formatter-property", o)],
    )
    for line in printed.splitlines():
        at, headers, key, value = line.split("\t")
        headers = "\\N" if headers == "NO_HEADERS" else headers.replace(":", "=")
        say(at.removeprefix("Offset:"), key, value, headers)


def group_options(assignor):
    if assignor == "kip848":
        return ["--group-protocol", "consumer", "--group-remote-assignor", "uniform"]
    strategy = f"org.apache.kafka.clients.consumer.{ASSIGNORS[assignor]}"
    return ["--session-timeout", "10000", "--assignment-strategy", strategy]


def member(topic, group, assignor):
    """The verifiable consumer prints an event a line: records as they are read, then that their offsets are
    committed."""
    command = reference.tool(
        "verifiable-consumer",
        *SERVER,
        "--topic",
        topic,
        "--group-id",
        group,
        "--reset-policy",
        "earliest",
        *group_options(assignor),
        "--verbose",
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # pylint: disable=consider-using-with
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    pending = Pending()
    for line in process.stdout:
        event = json.loads(line) if line.startswith(b"{") else {"name": ""}
        if event["name"] == "record_data":
            pending.add(event["partition"], event["offset"], event["value"].encode())
        elif event["name"] == "offsets_committed" and event["success"]:
            pending.committed({o["partition"]: o["offset"] for o in event["offsets"]})
        elif event["name"] == "partitions_revoked":
            pending.drop(p["partition"] for p in event["partitions"])
    process.wait()


def expect(printed, *texts):
    for text in texts:
        check(text in printed, f"'{text}' is not in:\n{printed}")


def admin_topics(topic):
    tool(
        "topics", *SERVER, "--create", "--topic", topic, "--partitions", 2, "--config", "retention.ms=3600000"
    )
    check(
        "already exists" in tool("topics", *SERVER, "--create", "--topic", topic, status=1),
        "a topic was created twice",
    )
    tool("topics", *SERVER, "--alter", "--topic", topic, "--partitions", 4)
    expect(
        tool("topics", *SERVER, "--describe", "--topic", topic),
        "PartitionCount: 4",
        "retention.ms=3600000",
        "Leader: 1",
    )
    expect(tool("topics", *SERVER, "--list"), topic)
    tool(
        "configs",
        *SERVER,
        "--alter",
        "--entity-type",
        "topics",
        "--entity-name",
        topic,
        "--add-config",
        "retention.ms=7200000",
    )
    expect(
        tool("configs", *SERVER, "--describe", "--entity-type", "topics", "--entity-name", topic),
        "retention.ms=7200000",
    )


def admin_groups(topic, group):
    tool("console-producer", *SERVER, "--topic", topic, stdin=b"".join(b"r%d\n" % i for i in range(30)))
    equal(
        len(
            tool(
                "console-consumer",
                *SERVER,
                "--topic",
                topic,
                "--group",
                group,
                "--from-beginning",
                "--max-messages",
                30,
            ).splitlines()
        ),
        30,
        "records",
    )
    expect(tool("consumer-groups", *SERVER, "--list"), group)
    described = tool("consumer-groups", *SERVER, "--describe", "--group", group)
    equal(
        sum(int(n) for n in re.findall(rf"{re.escape(topic)} +\d+ +(\d+)", described)), 30, "committed in all"
    )
    tool(
        "consumer-groups",
        *SERVER,
        "--reset-offsets",
        "--group",
        group,
        "--topic",
        topic,
        "--to-earliest",
        "--execute",
    )
    described = tool("consumer-groups", *SERVER, "--describe", "--group", group)
    equal(
        sum(int(n) for n in re.findall(rf"{re.escape(topic)} +\d+ +(\d+)", described)), 0, "after the reset"
    )
    tool("consumer-groups", *SERVER, "--delete", "--group", group)
    check(group not in tool("consumer-groups", *SERVER, "--list"), "the group is still there")


def admin(topic, group):
    admin_topics(topic)
    admin_groups(topic, group)
    expect(tool("log-dirs", *SERVER, "--describe", "--topic-list", topic), '"error":null', topic)
    tool("topics", *SERVER, "--delete", "--topic", topic)
    wait_for(lambda: topic not in tool("topics", *SERVER, "--list"), "the topic to go")
    tool("topics", *SERVER, "--describe", "--topic", topic, status=1)


if __name__ == "__main__":
    dispatch(produce, consume, member, admin)
