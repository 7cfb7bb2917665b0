"""The Java clients through Apache Kafka's own tools."""

import json
import os
import re
import signal
import subprocess
import sys
import time

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
)  # noqa: E402  pylint: disable=wrong-import-position
from lib.suite import register  # noqa: E402  pylint: disable=wrong-import-position

register(
    lambda: [sys.executable, os.path.join(HERE, "client.py")],
    ["java", "broker"],
    assignors=("range", "cooperative-sticky"),
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
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        process.stdin.write(b"no key\n")
        process.stdin.flush()
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=30)[0].decode()
    check("InvalidRecordException" in printed or "compacted topic" in printed.lower(), printed)


if __name__ == "__main__":
    main()
