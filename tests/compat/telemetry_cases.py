"""Client metrics (KIP-714) against the reference with a sink of its own (TelemetryPlugin.java): both brokers are
started here, because without a plug-in the reference does not serve them."""

import gzip
import os
import shutil
import struct
import tempfile
import time

from configuration import METRICS, SET, settled
from exchange import Peer, Side, compare
from lib.broker import Broker, reference
from lib.case import Failure, Skip, case, check, main, run

ZERO = "00" * 16
ONE = "00" * 15 + "01"
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
HERE = os.path.dirname(os.path.abspath(__file__))


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, data):
    """A field of a protocol buffer: bytes or text, an integer, a float (a double)."""
    if isinstance(data, float):
        return varint(number << 3 | 1) + struct.pack("<d", data)
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def otlp(*metrics, resource=()):
    """MetricsData of (name, value, {label: text}) gauges, or (name, value, labels, temporality) sums."""

    def labels(number, pairs):
        return b"".join(field(number, field(1, k) + field(2, field(1, v))) for k, v in pairs)

    out = b""
    for name, value, pairs, *temporality in metrics:
        point = labels(7, pairs.items()) + field(4, float(value))
        data = field(7, field(1, point) + field(2, temporality[0])) if temporality else field(5, field(1, point))
        out += field(2, field(1, name) + data)
    return field(1, field(1, labels(1, resource)) + field(2, out))


PAYLOAD = otlp(
    ("org.apache.kafka.producer.connection.creation.rate", 2.5, {"node_id": "1"}),
    ("org.apache.kafka.producer.record.total", 7, {}, 1),
    resource=[("client_rack", "r1")],
)


def subscribe(peer, name, **configs):
    changes = [{"name": k.replace("_", "."), "configOperation": SET, "value": v} for k, v in configs.items()]
    answer = peer.must(
        "IncrementalAlterConfigs", 1, resources=[{"resourceType": METRICS, "resourceName": name, "configs": changes}]
    )
    check(not answer["responses"][0]["errorCode"], str(answer))
    settled(peer)


def drop(peer, name, *keys):
    changes = [{"name": k, "configOperation": 1, "value": None} for k in keys]
    peer.must(
        "IncrementalAlterConfigs", 1, resources=[{"resourceType": METRICS, "resourceName": name, "configs": changes}]
    )
    settled(peer)


class Client:
    """A client with a name, on a connection of its own."""

    def __init__(self, peer, instance, client_id="c1", software="librdkafka", version="2.5.0"):
        self.peer, self.instance = peer, instance
        self.connection = peer.connect(client_id=client_id)
        if software:
            self.connection.call("ApiVersions", 3, clientSoftwareName=software, clientSoftwareVersion=version)

    def get(self, instance=None):
        answer = self.connection.call("GetTelemetrySubscriptions", 0, clientInstanceId=instance or self.instance)
        return answer

    def push(self, subscription, metrics=b"", compression=NONE, terminating=False, instance=None):
        return self.connection.call(
            "PushTelemetry", 0, clientInstanceId=instance or self.instance, subscriptionId=subscription,
            terminating=terminating, compressionType=compression, metrics=metrics,
        )  # fmt: skip


def instance(n):
    return f"{n:032x}"


def subscriptions(peer):
    """Who gets what; ids of subscriptions are equal, because they are checksums."""
    nobody = Client(peer, instance(0x1001))
    yield "no subscription", nobody.get()
    yield "again at once", nobody.get()
    yield "a push", nobody.push(0)
    fresh = Client(peer, ZERO)
    answer = fresh.get()
    given = answer["clientInstanceId"]
    check(given not in (ZERO, ONE), f"{peer.kind} gave the id {given}")
    yield "an id is given", {**answer, "clientInstanceId": "", "subscriptionId": 0}
    subscribe(peer, "a", metrics="org.apache.kafka.producer.", interval_ms="500")
    yield "a change is seen at once", nobody.get()
    subscribe(peer, "b", metrics="org.apache.kafka.consumer.,x.y,z", interval_ms="60000", match="client_id=c[0-9]+")
    yield "two subscriptions", Client(peer, instance(0x1002)).get()
    yield "only one matches", Client(peer, instance(0x1003), client_id="other").get()
    subscribe(peer, "d", metrics="one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen")
    yield "many", Client(peer, instance(0x1004)).get()
    for label, match in (
        ("name", "client_software_name=librd.*"), ("version", "client_software_version=2\\.5\\.\\d"),
        ("address", "client_source_address=127.0.0.1"), ("port", "client_source_port=[0-9]{5}"),
        ("instance", "client_instance_id=A+[A-Za-z0-9]*"), ("all", "client_id=c1,client_software_name=librdkafka"),
        ("part", "client_id=c"), ("other", "client_software_name=x|librdkafka"), ("nobody", "client_id=d1"),
    ):  # fmt: skip
        subscribe(peer, "e", metrics=f"matched.{label}", match=match)
        yield f"match {label}", Client(peer, instance(0x1010)).get()
        yield f"match {label} without software", Client(peer, instance(0x1011), software=None).get()
    for bad in ("client_source_port=[0-9]{2,5}", "client_id=(", "client_id=a{", "client_id=*", "name=x", "client_id", "client_id=a=b"):
        change = {"name": "match", "configOperation": SET, "value": bad}
        yield f"bad match {bad}", peer.call(
            "IncrementalAlterConfigs", 1, resources=[{"resourceType": METRICS, "resourceName": "g", "configs": [change]}]
        )
    subscribe(peer, "f", metrics="*", interval_ms="100")
    yield "all metrics", Client(peer, instance(0x1005)).get()
    drop(peer, "f", "metrics", "interval.ms")
    yield "no longer all", Client(peer, instance(0x1005)).get()
    for name in ("a", "b", "d", "e"):
        drop(peer, name, "metrics", "interval.ms", "match")
    yield "none at the end", Client(peer, instance(0x1006)).get()


def pushes(peer):
    subscribe(peer, "p", metrics="*", interval_ms="1000")
    client = Client(peer, instance(0x2001))
    first = client.get()
    subscription = first["subscriptionId"]
    yield "get", first
    yield "push at once after it", client.push(subscription, PAYLOAD)
    yield "a push too early", client.push(subscription, PAYLOAD)
    yield "a get too early", client.get()
    time.sleep(1.1)
    yield "a push in time", client.push(subscription, PAYLOAD)
    time.sleep(1.1)
    yield "another subscription", client.push(subscription + 1, PAYLOAD)
    yield "may ask again at once", client.get()
    yield "and push, too early", client.push(subscription, PAYLOAD)
    for label, fields in (
        ("compression 5", {"compression": 5}), ("compression -1", {"compression": -1}),
        ("not gzip", {"compression": GZIP}), ("not zstd", {"compression": ZSTD}),
        ("gzip", {"compression": GZIP, "metrics": gzip.compress(PAYLOAD)}),
        ("not OTLP", {"metrics": b"\xff\xff\xff\xff"}), ("cut", {"metrics": PAYLOAD[:-3]}),
        ("of nothing", {"metrics": b""}),
        ("too large", {"metrics": b"\x0a" * 20001}),
        ("too large when unpacked", {"compression": GZIP, "metrics": gzip.compress(otlp(("m", 1, {"l": "x" * 30000})))}),
        ("as large as it may be", {"metrics": otlp(("m", 1, {"l": "x" * 19950}))}),
    ):  # fmt: skip
        other = Client(peer, instance(0x2100))
        got = other.get()
        yield f"{label} get", got
        yield label, other.push(got["subscriptionId"], **{"metrics": PAYLOAD, **fields})
        yield f"{label}, then a get", other.get()
        other.connection.close()
        time.sleep(0.2)
    for label, of in (("no instance", ZERO), ("a reserved instance", ONE)):
        yield label, client.push(subscription, PAYLOAD, instance=of)
    yield "a get for a reserved one", {**client.get(instance=ONE), "subscriptionId": 0}
    unknown = Client(peer, instance(0x2002))
    yield "a push that was not asked for", unknown.push(0, PAYLOAD)
    last = Client(peer, instance(0x2003))
    subscription = last.get()["subscriptionId"]
    yield "last but one", last.push(subscription, PAYLOAD)
    yield "the last one comes early", last.push(subscription, PAYLOAD, terminating=True)
    yield "nothing after it", last.push(subscription, PAYLOAD)
    time.sleep(1.1)
    yield "but later", last.push(subscription, PAYLOAD)
    last.push(subscription, PAYLOAD, terminating=True)
    last.connection.close()
    time.sleep(0.3)
    again = Client(peer, instance(0x2003))
    yield "on a new connection", again.push(subscription, PAYLOAD)
    yield "twice", again.push(subscription, PAYLOAD)
    subscribe(peer, "p", metrics="x", interval_ms="2000")
    yield "the subscription has changed", again.push(subscription, PAYLOAD)
    yield "which it hears at once", again.get()


def plugin():
    if not shutil.which("javac"):
        raise Skip("javac is not installed")
    folder = tempfile.mkdtemp(prefix="telemetry-plugin-")
    run(["javac", "-cp", os.path.join(reference.LIBS, "*"), "-d", folder, os.path.join(HERE, "TelemetryPlugin.java")])
    return folder


@case(seconds=180, needs=("java",), alone=True)
def client_metrics():
    classes = plugin()
    os.environ["KAFKA_REFERENCE_MORE"] = classes
    more = {"telemetry.max.bytes": "20000"}
    try:
        with Broker("kafka", extra={**more, "metric.reporters": "TelemetryPlugin"}) as kafka:
            with Broker("ottla", extra=more) as ottla:
                kafka.start()
                ottla.start()
                for scenario in (subscriptions, pushes):
                    sides = [Side(Peer(b.kind, b.bootstrap, scenario.__name__), scenario) for b in (kafka, ottla)]
                    for side in sides:
                        side.start()
                    for side in sides:
                        side.join()
                    lines, steps = compare(*sides)
                    if lines:
                        raise Failure(f"{len(lines)} differences in {steps} answers\n" + "\n".join(lines[:40]))
                    print(f"{steps} answers are the same")
    finally:
        shutil.rmtree(classes, ignore_errors=True)


main()
