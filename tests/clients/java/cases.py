"""The Java clients through Apache Kafka's own tools."""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

from lib.case import (
    bootstrap,
    case,
    check,
    equal,
    main,
    run,
    unique,
    wait_for,
)  # noqa: E402  pylint: disable=wrong-import-position
from lib.records import batch  # noqa: E402  pylint: disable=wrong-import-position
from lib.suite import register  # noqa: E402  pylint: disable=wrong-import-position
from lib.wire import Connection  # noqa: E402  pylint: disable=wrong-import-position

register(
    lambda: [sys.executable, os.path.join(HERE, "client.py")],
    ["java", "broker"],
    assignors=("range", "cooperative-sticky", "kip848"),
)


def events(printed, name):
    """The verifiable clients print an event a line, the logger its own lines between them."""
    found = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [e for e in found if e["name"] == name]


def tool(name, *args, **options):
    return run(reference.tool(name, *[str(a) for a in args]), **options)


@case(seconds=90, needs=["java", "broker"])
def throttled():
    """The Java producer sees and heeds the throttle times of a quota, and sends what it allows."""
    topic, client, rate = unique("throttled"), unique("slow-producer"), 200_000
    quota = ["--bootstrap-server", bootstrap(), "--alter", "--entity-type", "clients", "--entity-name", client]
    tool("configs", *quota, "--add-config", f"producer_byte_rate={rate}")
    got = tool(
        "configs", "--bootstrap-server", bootstrap(), "--describe", "--entity-type", "clients", "--entity-name", client
    )
    check(f"producer_byte_rate={rate}" in got, f"described: {got}")
    count, size = 4000, 1000
    printed = tool(
        "producer-perf-test",
        *["--bootstrap-server", bootstrap(), "--topic", topic, "--num-records", count, "--record-size", size],
        *["--throughput", -1, "--print-metrics"],
        *["--command-property", f"client.id={client}", "linger.ms=0", "batch.size=16384"],
    )  # fmt: skip
    times = re.search(r"produce-throttle-time-max:\{client-id=[^}]*\}\s*: ([0-9.]+)", printed)
    check(times and float(times[1]) > 0, f"no throttle time in {printed[-3000:]}")
    check(f"{count} records sent" in printed, f"not all were sent: {printed[-1000:]}")
    tool("configs", *quota, "--delete-config", "producer_byte_rate")


@case(seconds=90, needs=["java", "broker"])
def verifiable():
    """The verifiable producer's acknowledgements are what the verifiable consumer reads."""
    topic, group = unique("verifiable"), unique("verifiable-group")
    sent = tool(
        "verifiable-producer",
        "--bootstrap-server",
        bootstrap(),
        "--topic",
        topic,
        "--max-messages",
        5000,
        "--acks",
        -1,
    )
    acked = events(sent, "producer_send_success")
    equal(len(acked), 5000, "acknowledged")
    read = tool(
        "verifiable-consumer",
        "--bootstrap-server",
        bootstrap(),
        "--topic",
        topic,
        "--group-id",
        group,
        "--max-messages",
        5000,
        "--reset-policy",
        "earliest",
        "--verbose",
    )
    values = [e["value"] for e in events(read, "record_data")]
    equal(sorted(values), sorted(e["value"] for e in acked), "values")


@case(seconds=120, needs=["java", "broker"])
def share_groups():
    """The verifiable share consumer gets every record that the producer's acknowledgements name, whichever way it
    acknowledges."""
    topic = unique("shared")
    server = ["--bootstrap-server", bootstrap()]
    tool("topics", *server, "--create", "--topic", topic, "--partitions", 3)
    sent = tool("verifiable-producer", *server, "--topic", topic, "--max-messages", 3000, "--acks", -1)
    acked = sorted(e["value"] for e in events(sent, "producer_send_success"))
    equal(len(acked), 3000, "acknowledged")
    for mode in ("auto", "sync", "async"):
        ask = [*server, "--topic", topic, "--group-id", unique(mode), "--max-messages", 3000, "--verbose"]
        read = tool(
            "verifiable-share-consumer", *ask, "--acknowledgement-mode", mode, "--offset-reset-strategy", "earliest"
        )
        equal(sorted(e["value"] for e in events(read, "record_data")), acked, f"values, acknowledged {mode}")


@case(seconds=120, needs=["java", "broker"])
def perf():
    """The performance tools run to their end and count all records."""
    topic = unique("perf")
    printed = tool(
        "producer-perf-test",
        "--bootstrap-server",
        bootstrap(),
        "--topic",
        topic,
        "--num-records",
        200000,
        "--record-size",
        100,
        "--throughput",
        -1,
        "--command-property",
        "acks=all",
        "--command-property",
        "compression.type=lz4",
    )
    check("200000 records sent" in printed, printed)
    printed = tool(
        "consumer-perf-test", "--bootstrap-server", bootstrap(), "--topic", topic, "--num-records", 200000
    )
    check(re.search(r"\b200\d{3}\b", printed), printed)


@case(seconds=60, needs=["java", "broker"])
def e2e_latency():
    topic = unique("e2e")
    printed = tool(
        "e2e-latency",
        "--bootstrap-server",
        bootstrap(),
        "--topic",
        topic,
        "--num-records",
        200,
        "--producer-acks",
        "all",
        "--record-size",
        100,
    )
    check("Percentiles" in printed, printed)


@case(seconds=60, needs=["java", "broker"])
def describe_the_broker():
    """Tools that ask for versions, log directories, the quorum, the cluster and all configurations."""
    server = ["--bootstrap-server", bootstrap()]
    versions = tool("broker-api-versions", *server)
    check("Produce(0): 0 to 13 [usable: 13]" in versions, versions)
    check("ERROR" not in versions, versions)
    check("LeaderId:" in tool("metadata-quorum", *server, "describe", "--status"), "metadata-quorum")
    check("Cluster ID" in tool("cluster", "cluster-id", *server), "cluster")
    configs = tool("configs", *server, "--describe", "--entity-type", "brokers", "--entity-name", 1, "--all")
    check("log.retention.hours" in configs, configs)


@case(seconds=60, needs=["java", "broker"])
def compacted_topic():
    """A record without a key for a compacted topic is refused."""
    topic = unique("compacted")
    server = ["--bootstrap-server", bootstrap()]
    tool("topics", *server, "--create", "--topic", topic, "--config", "cleanup.policy=compact")
    command = reference.tool(
        "console-producer", *server, "--topic", topic, "--sync", "--command-property", "retries=0"
    )
    got = subprocess.run(
        command, input=b"no key\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=50, check=False
    )
    printed = got.stdout.decode()
    check("InvalidRecordException" in printed or "compacted topic" in printed.lower(), printed)


@case(seconds=120, needs=["java", "broker"])
def transactional_copier():
    """Records are copied, with their offsets in the same transactions, some of which are aborted: each once."""
    source, target = unique("source"), unique("target")
    server = ["--bootstrap-server", bootstrap()]
    writes = ["--num-records", 3000, "--record-size", 100, "--throughput", -1]
    with_id = ["--transactional-id", unique("perf"), "--transaction-duration-ms", 20]
    tool("producer-perf-test", "--topic", source, *writes, *with_id, *server)
    printed = tool(
        "transactional-message-copier",
        *["--broker-list", bootstrap(), "--input-topic", source, "--input-partition", 0],
        *["--output-topic", target, "--consumer-group", unique("copier"), "--transactional-id", unique("copier")],
        *["--transaction-size", 100, "--max-messages", 3000, "--enable-random-aborts"],
    )
    check('"remaining":0' in printed, printed[-500:])
    read = tool(
        "console-consumer",
        *[*server, "--topic", target, "--from-beginning", "--isolation-level", "read_committed"],
        *["--timeout-ms", 3000],
        status=None,
    )
    equal(len([line for line in read.splitlines() if len(line) == 100]), 3000, "committed records")


@case(seconds=120, needs=["java", "broker"])
def hanging_transaction():
    """A transaction that no coordinator knows of (written while nobody verified) is found and aborted."""
    topic, server = unique("hanging"), ["--bootstrap-server", bootstrap()]
    peer = Connection(bootstrap())
    verify = "transaction.partition.verification.enable"

    def set_verification(value):
        configs = [{"name": verify, "configOperation": 0 if value else 1, "value": value}]
        resources = [{"resourceType": 4, "resourceName": "", "configs": configs}]
        answer = peer.call("IncrementalAlterConfigs", 1, resources=resources)
        equal(answer["responses"][0]["errorCode"], 0, "configuration")

    peer.call("CreateTopics", 7, timeoutMs=10000, topics=[{"name": topic, "numPartitions": 1, "replicationFactor": 1}])
    records = batch([b"x"], now=1000, attributes=0x10, producerId=987654, producerEpoch=3, baseSequence=0)
    data = [{"name": topic, "partitionData": [{"index": 0, "records": records}]}]

    def written():
        answer = peer.call("Produce", 9, acks=-1, timeoutMs=5000, transactionalId="nobody", topicData=data)
        return answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0

    check(not written(), "a transaction that was not verified begins")
    set_verification("false")
    try:
        wait_for(written, "a record that nobody verifies")
    finally:
        set_verification(None)
    found = tool("transactions", *server, "find-hanging", "--topic", topic, "--max-transaction-timeout", 1)
    check(re.search(rf"{topic}\s+0\s+987654\s+3", found), found)
    tool("transactions", *server, "abort", "--topic", topic, "--partition", 0, "--start-offset", 0)
    left = tool("transactions", *server, "describe-producers", "--topic", topic, "--partition", 0)
    check(re.search(r"987654\s+3\s+.*None", left), left)
    peer.close()


if __name__ == "__main__":
    main()
