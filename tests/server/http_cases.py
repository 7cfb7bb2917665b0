"""Metrics and health by HTTP: Prometheus' own parser reads every line, values are those of what was done; what a
hostile client of that port does, no other notices."""

import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from lib import wire
from lib.broker import Broker, free_port, ottla_binary
from lib.case import Failure, Skip, case, check, equal, main, wait_for
from lib.records import batch


def now_ms():
    return int(time.time() * 1000)


class Observed:
    """A broker with an HTTP listener."""

    def __init__(self, **extra):
        ours = extra.get("ottla.http.listeners")
        self.http = int(ours.rsplit(":", 1)[1]) if ours else free_port()
        listeners = {"ottla.http.listeners": f"HTTP://127.0.0.1:{self.http}"}
        self.broker = Broker("ottla", extra={**listeners, **extra})

    def __enter__(self):
        self.broker.start()
        wait_for(lambda: self.status("/health/live") == 200, "the HTTP listener")
        return self

    def __exit__(self, *_):
        self.broker.stop()
        self.broker.close()

    def get(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, dict(e.headers), e.read().decode()

    def status(self, path, method="GET"):
        try:
            return self.get(path, method)[0]
        except (urllib.error.URLError, ConnectionError):
            return None

    def metrics(self):
        """{(name, ((label, value), …)): number} of all samples, and the families."""
        try:
            from prometheus_client.parser import text_string_to_metric_families  # pylint: disable=import-outside-toplevel
        except ImportError:
            raise Skip("prometheus-client is not installed") from None
        status, headers, text = self.get("/metrics")
        equal(status, 200, "status")
        check("version=0.0.4" in headers["Content-Type"], f"headers {headers}")
        families = list(text_string_to_metric_families(text))
        samples = {}
        for family in families:
            check(family.documentation, f"{family.name} has no help")
            for s in family.samples:
                key = (s.name, tuple(sorted(s.labels.items())))
                check(key not in samples, f"{key} is there twice")
                samples[key] = s.value
        return samples, {f.name: f for f in families}


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


def create(connection, name, partitions=1):
    topics = [{"name": name, "numPartitions": partitions, "replicationFactor": 1}]
    answer = connection.call("CreateTopics", 7, topics=topics, timeoutMs=30000)
    equal(answer["topics"][0]["errorCode"], 0, name)


def produce(connection, topic, values, partition=0, when=None):
    records = batch(values, now=when or now_ms())
    data = [{"name": topic, "partitionData": [{"index": partition, "records": records}]}]
    answer = connection.call("Produce", 9, acks=-1, timeoutMs=5000, topicData=data)
    return answer["responses"][0]["partitionResponses"][0]["errorCode"], len(records)


def fetch(connection, topic):
    part = {"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20, "currentLeaderEpoch": -1}
    answer = connection.call(
        "Fetch", 11, replicaId=-1, maxWaitMs=100, minBytes=1, maxBytes=1 << 20, sessionId=0, sessionEpoch=-1,
        topics=[{"topic": topic, "partitions": [part]}],
    )  # fmt: skip
    return len(answer["responses"][0]["partitions"][0]["records"])


def commit(connection, group, topic, offset):
    connection.call("FindCoordinator", 2, key=group, keyType=0)

    def done():
        parts = [{"partitionIndex": 0, "committedOffset": offset, "committedLeaderEpoch": -1}]
        answer = connection.call(
            "OffsetCommit", 7, groupId=group, generationIdOrMemberEpoch=-1, memberId="",
            topics=[{"name": topic, "partitions": parts}],
        )  # fmt: skip
        return answer["topics"][0]["partitions"][0]["errorCode"] == 0

    wait_for(done, "the commit")


@case(seconds=60, needs=("python",))
def values():
    """What was produced, read and committed is what the numbers say."""
    with Observed() as o, wire.Connection(o.broker.bootstrap) as c:
        create(c, "t", 2)
        sent = sum(produce(c, "t", [b"x"] * 10, when=now_ms() - 60000)[1] for _ in range(5))
        equal(produce(c, "t", [b"x"], partition=7)[0], 3, "a partition that is not there")
        read = fetch(c, "t")
        commit(c, "g", "t", 20)
        commit(c, "done", "t", 50)
        samples, families = o.metrics()
        topic = "kafka_server_brokertopicmetrics_"
        equal(value(samples, topic + "bytesin_total"), sent, "bytes in")
        equal(value(samples, topic + "bytesin_total", topic="t"), sent, "bytes in of the topic")
        equal(value(samples, topic + "messagesin_total", topic="t"), 50, "records")
        equal(value(samples, topic + "bytesout_total", topic="t"), read, "bytes out")
        equal(value(samples, topic + "totalproducerequests_total"), 6, "partitions of Produce")
        equal(value(samples, topic + "failedproducerequests_total"), 1, "those that failed")
        for name in ("totaltimems", "localtimems", "requestqueuetimems", "remotetimems", "responsequeuetimems"):
            equal(value(samples, f"kafka_network_requestmetrics_{name}_count", request="Produce"), 6, name)
        equal(value(samples, "kafka_network_requestmetrics_requests_total", request="CreateTopics"), 1, "CreateTopics")
        total, parts = (
            value(samples, "kafka_network_requestmetrics_totaltimems_sum", request="Produce"),
            sum(
                value(samples, f"kafka_network_requestmetrics_{n}_sum", request="Produce")
                for n in ("requestqueuetimems", "localtimems", "remotetimems", "responsequeuetimems")
            ),
        )
        check(abs(total - parts) < 0.001 * total + 0.001, f"total {total} ms, its parts {parts} ms")
        equal(value(samples, "kafka_log_log_logendoffset", topic="t", partition="0"), 50, "log end")
        equal(value(samples, "kafka_log_log_logstartoffset", topic="t", partition="0"), 0, "log start")
        equal(value(samples, "kafka_log_log_size", topic="t", partition="0"), sent, "log size")
        equal(value(samples, "ottla_group_lag_records", group="g", topic="t", partition="0"), 30, "lag")
        behind = value(samples, "ottla_group_lag_seconds", group="g", topic="t", partition="0")
        check(60 <= behind < 120, f"{behind} s behind")
        equal(value(samples, "ottla_group_lag_records", group="done", topic="t", partition="0"), 0, "no lag")
        equal(value(samples, "ottla_group_lag_seconds", group="done", topic="t", partition="0"), 0, "no lag")
        equal(value(samples, "ottla_group_lag_committedoffset", group="g", topic="t", partition="0"), 20, "offset")
        equal(value(samples, "kafka_coordinator_group_groupmetadatamanager_numgroups"), 2, "groups")
        equal(value(samples, "kafka_server_replicamanager_partitioncount"), 52, "partitions")
        equal(value(samples, "kafka_server_replicamanager_leadercount"), 52, "leaders")
        for name in ("underreplicatedpartitions", "underminisrpartitioncount", "offlinereplicacount"):
            equal(value(samples, f"kafka_server_replicamanager_{name}"), 0, name)
        equal(value(samples, "kafka_controller_kafkacontroller_globaltopiccount"), 2, "topics")
        equal(value(samples, "kafka_controller_kafkacontroller_activebrokercount"), 1, "brokers")
        equal(value(samples, "kafka_cluster_partition_insyncreplicascount", topic="t", partition="1"), 1, "ISR")
        check(value(samples, "process_resident_memory_bytes") > 1 << 20, "memory")
        check(abs(value(samples, "process_start_time_seconds") - time.time()) < 60, "start")
        check(value(samples, "kafka_server_socket_server_metrics_connection_count") >= 1, "connections")
        equal(families["kafka_network_requestmetrics_totaltimems"].type, "histogram", "type")
        again, _ = o.metrics()
        smaller = [k for k in samples if k[0].endswith(("_total", "_count")) and again.get(k, 0) < samples[k]]
        equal(smaller, [], "counters that went back")


@case(seconds=60, needs=("python",))
def quotas():
    """Limits, what is used of them, and who had to wait."""
    with Observed() as o, wire.Connection(o.broker.bootstrap, client_id='odd "name"\\') as c:
        create(c, "t")
        entity = [{"entityType": "client-id", "entityName": 'odd "name"\\'}]
        ops = [{"key": "producer_byte_rate", "value": 1000.0, "remove": False}]
        c.call("AlterClientQuotas", 1, entries=[{"entity": entity, "ops": ops}], validateOnly=False)
        produce(c, "t", [b"x" * 10500])
        samples, _ = o.metrics()
        who = {"quota": "producer_byte_rate", "user": "", "client_id": 'odd "name"\\'}
        equal(value(samples, "ottla_quota_limit_persecond", **who), 1000, "limit")
        check(value(samples, "ottla_quota_rate_persecond", **who) > 900, "rate")
        equal(value(samples, "ottla_quota_throttle_requests_total", **who), 1, "requests that made it wait")
        check(value(samples, "ottla_quota_throttle_timems_total", **who) > 0, "time")


def number_field(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<d", value)


def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    check(len(data) < 128, "one byte says the length")
    return bytes([number << 3 | 2, len(data)]) + data


def gauge(name, value, **labels):
    """OTLP: a metric with one number."""
    pairs = b"".join(field(7, field(1, k) + field(2, field(1, v))) for k, v in labels.items())
    return field(2, field(1, name) + field(5, field(1, pairs + number_field(4, value))))


@case(seconds=60, needs=("python",))
def client_metrics():
    """What a client pushes is shown; its labels cannot take the place of ours."""
    with Observed() as o, wire.Connection(o.broker.bootstrap, client_id="pushes") as c:
        configs = [{"name": n, "configOperation": 0, "value": v} for n, v in (("metrics", "*"), ("interval.ms", "1000"))]
        resource = {"resourceType": 16, "resourceName": "all", "configs": configs}
        answer = c.call("IncrementalAlterConfigs", 1, resources=[resource])
        equal(answer["responses"][0]["errorCode"], 0, "the subscription")
        got = c.call("GetTelemetrySubscriptions", 0, clientInstanceId="00" * 16)
        equal(got["errorCode"], 0, "the subscription")
        metrics = field(1, field(2, gauge("a.rate", 2.5, node_id="1") + gauge("a.rate", 3.5, client="x", node_id="2")))
        pushed = c.call(
            "PushTelemetry", 0, clientInstanceId=got["clientInstanceId"], subscriptionId=got["subscriptionId"],
            terminating=False, compressionType=0, metrics=metrics,
        )  # fmt: skip
        equal(pushed["errorCode"], 0, "the push")
        samples, _ = o.metrics()
        found = {dict(k[1])["node_id"]: (v, dict(k[1])) for k, v in samples.items() if k[0] == "ottla_client_telemetry_value"}
        equal({n: v for n, (v, _) in found.items()}, {"1": 2.5, "2": 3.5}, "values")
        equal({labels["client"] for _, labels in found.values()}, {"pushes"}, "whose they are")
        equal({labels["metric"] for _, labels in found.values()}, {"a.rate"}, "what they are")


@case(seconds=60, needs=())
def health():
    """Live and ready; not ready with the cause; other paths and methods."""
    with Observed() as o:
        status, headers, text = o.get("/health/ready")
        report = json.loads(text)
        equal((status, report["status"], report["causes"]), (200, "ready", []), "ready")
        check(all(report["checks"].values()) and len(report["checks"]) >= 4, f"checks {report}")
        equal(headers["Content-Type"], "application/json", "type")
        equal(json.loads(o.get("/health/live")[2]), {"status": "live"}, "live")
        equal(o.get("/metrics", "HEAD")[0], 200, "HEAD")
        equal([o.status(p) for p in ("/", "/metric", "/metrics/", "/health")], [404] * 4, "other paths")
        equal([o.status("/metrics", m) for m in ("POST", "PUT", "DELETE")], [405] * 3, "other methods")


@case(seconds=90, needs=())
def many_partitions():
    """4,000 partitions: the answer comes in pieces, memory stays, and nobody waits for it."""
    with Observed() as o, wire.Connection(o.broker.bootstrap) as c:
        create(c, "probe")
        for i in range(40):
            create(c, f"t{i}", 100)
        lines = len(o.get("/metrics")[2].splitlines())
        check(lines > 4000, f"{lines} lines")

        def resident():
            with open(f"/proc/{o.broker.process.pid}/statm", encoding="ascii") as f:
                return int(f.read().split()[1]) * 4096

        before, stop, slowest = resident(), threading.Event(), [0.0]

        def ask():
            with wire.Connection(o.broker.bootstrap) as probe:
                while not stop.is_set():
                    begin = time.monotonic()
                    produce(probe, "probe", [b"x"])
                    slowest[0] = max(slowest[0], time.monotonic() - begin)

        prober = threading.Thread(target=ask)
        prober.start()
        begin = time.monotonic()
        for _ in range(10):
            o.get("/metrics")
        scrape = (time.monotonic() - begin) / 10
        stop.set()
        prober.join()
        grown = resident() - before
        check(grown < 8 << 20, f"memory has grown by {grown >> 10} KiB")
        check(slowest[0] < max(0.25, 3 * scrape), f"a produce took {slowest[0]:.3f} s, a scrape {scrape:.3f} s")


def ended(connection):
    """The other end closes it, whatever it says before."""
    with connection:
        try:
            connection.settimeout(25)
            while connection.recv(65536):
                pass
        except TimeoutError:
            raise Failure("a connection was kept") from None
        except OSError:
            pass


@case(seconds=60, needs=())
def hostile():
    """Rubbish, endless headers, more connections than there may be: the listener and the broker go on."""
    with Observed() as o, wire.Connection(o.broker.bootstrap) as c:
        rude = []
        for data in (b"\r\n" * 100, b"GET", b"\0" * 1000, b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 20000):
            rude.append(socket.create_connection(("127.0.0.1", o.http), 5))
            try:
                rude[-1].sendall(data)
            except OSError:
                pass  # it has heard enough
        for s in rude:
            ended(s)
        idle = [socket.create_connection(("127.0.0.1", o.http), 5) for _ in range(100)]
        equal(len(c.call("Metadata", 1, topics=[])["brokers"]), 1, "the broker")
        for s in idle:
            s.close()
        wait_for(lambda: o.status("/health/live") == 200, "an answer after all of that")
        slow = socket.create_connection(("127.0.0.1", o.http), 5)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(o.status("/metrics"), 200, "beside one that does not read")
        slow.close()


@case(seconds=30, needs=())
def listeners():
    """Off unless it is configured; a bad value ends the start with a line; several are possible."""
    broker = Broker("ottla")
    with broker.start():
        with open(f"/proc/{broker.process.pid}/maps", encoding="utf-8") as f:
            check("microhttpd" not in f.read(), "the library is loaded though nothing is configured")
    for bad in ("127.0.0.1:80", "HTTPS://127.0.0.1:80", "HTTP://127.0.0.1", "HTTP://127.0.0.1:x", "HTTP://127.0.0.1:99999"):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "server.properties")
            port = free_port()
            with open(file, "w", encoding="utf-8") as f:
                f.write(f"process.roles=broker,controller\nnode.id=1\nlog.dirs={folder}/data\n"
                        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}\n"
                        "controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:1\n"
                        f"ottla.http.listeners={bad}\n")
            got = subprocess.run([ottla_binary(), "server", file], capture_output=True, text=True, timeout=20, check=False)
            equal(got.returncode, 1, f"status with {bad}")
            check("ottla.http.listeners" in got.stderr.splitlines()[-1], f"said {got.stderr!r}")
    first = free_port()
    second = first + 1
    with Observed(**{"ottla.http.listeners": f"HTTP://127.0.0.1:{first}, http://127.0.0.1:{second}"}) as o:
        o.http = first
        equal(o.status("/health/ready"), 200, "the first listener")


if __name__ == "__main__":
    main()
