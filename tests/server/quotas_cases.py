"""Quotas as clients feel them: what goes through is bounded by the limit, whoever has none goes on, an answer comes
at once and silence after it. Bounds are ratios of bytes and counts over the time that really passed."""

import threading
import time

from lib import wire
from lib.broker import Broker
from lib.case import case, check, equal, main, wait_for
from lib.records import batch

NOW = 1_700_000_000_000
WINDOW = {"quota.window.num": "3", "controller.quota.window.num": "3"}  # of seconds: short tests, same arithmetic


def limit(connection, quota, value, **parts):
    entity = [{"entityType": t.replace("_", "-"), "entityName": n} for t, n in parts.items()]
    ops = [{"key": quota, "value": value or 0.0, "remove": value is None}]
    answer = connection.call(
        "AlterClientQuotas", 1, entries=[{"entity": entity, "ops": ops}], validateOnly=False
    )
    equal(answer["entries"][0]["errorCode"], 0, f"{quota} of {parts}")


def create(connection, name):
    topics = [{"name": name, "numPartitions": 1, "replicationFactor": 1}]
    equal(
        connection.call("CreateTopics", 7, topics=topics, timeoutMs=10000)["topics"][0]["errorCode"], 0, name
    )


def produce_fields(topic, size, acks=1):
    data = [{"name": topic, "partitionData": [{"index": 0, "records": batch([b"x" * size], now=NOW)}]}]
    return {"acks": acks, "timeoutMs": 5000, "topicData": data}


def end_offset(connection, topic):
    topics = [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}]
    answer = connection.call("ListOffsets", 5, replicaId=-1, topics=topics)
    return answer["topics"][0]["partitions"][0]["offset"]


def sends(bootstrap, client_id, topic, size, seconds):
    """Produces as fast as it may; requests, of them with a throttle time, and the time that it took."""
    c, begin, n, silenced = wire.Connection(bootstrap, client_id), time.monotonic(), 0, 0
    while time.monotonic() - begin < seconds:
        silenced += c.call("Produce", 9, **produce_fields(topic, size))["throttleTimeMs"] > 0
        n += 1
    return n, silenced, time.monotonic() - begin


@case(seconds=60, needs=())
def producers():
    """A limited client sends what its limit allows, the first window as a burst; another is not slowed down."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        rate, size = 100_000, 10_000
        limit(c, "producer_byte_rate", rate, client_id="slow")
        results = {}

        def run(name):
            results[name] = sends(broker.bootstrap, name, "t", size, 4)

        threads = [threading.Thread(target=run, args=(name,)) for name in ("slow", "free")]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        n, silenced, took = results["slow"]
        allowed = rate * (took + 2) + size  # two full samples are there at the beginning
        check(n * size <= 1.3 * allowed, f"{n * size} bytes in {took:.1f} s, allowed {allowed:.0f}")
        check(n * size >= 0.4 * rate * took, f"only {n * size} bytes in {took:.1f} s of {rate} a second")
        check(silenced > 0, "no answer had a throttle time")
        free, never, _ = results["free"]
        check(never == 0 and free > 5 * n, f"the free client: {free} requests, {never} silenced; the slow one {n}")


@case(seconds=60, needs=())
def without_acknowledgement():
    """acks=0: no answer could say it, so the broker reads no further; nothing is lost."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        rate, size, count = 50_000, 10_000, 30
        limit(c, "producer_byte_rate", rate, client_id="slow")
        slow, begin = wire.Connection(broker.bootstrap, "slow", seconds=30), time.monotonic()
        for _ in range(count):
            slow.send("Produce", 9, **produce_fields("t", size, acks=0))
            slow.waiting.pop()
        most = 0.0
        while (there := end_offset(c, "t")) < count:
            took = time.monotonic() - begin
            allowed = rate * (took + 2) + size
            most = max(most, there * size / allowed)
            check(took < 40, f"{there} of {count} after {took:.0f} s")
            time.sleep(0.1)
        check(most <= 1.3, f"{most:.2f} of what is allowed")
        took = time.monotonic() - begin
        check(count * size <= 1.5 * (rate * (took + 2) + size), f"all in {took:.1f} s")
        slow.send("Metadata", 1, topics=[])
        equal(len(slow.receive()["brokers"]), 1, "the next request is answered")


@case(seconds=60, needs=())
def consumers():
    """A fetch above the limit is answered at once, without records; all records come in the end."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        rate, size, count = 50_000, 5_000, 30
        for _ in range(count):
            c.call("Produce", 9, **produce_fields("t", size))
        limit(c, "consumer_byte_rate", rate, client_id="slow")
        for session in (False, True):
            slow = wire.Connection(broker.bootstrap, "slow", seconds=30)
            offset, empty, begin, epoch, identity = 0, 0, time.monotonic(), 0 if session else -1, 0
            while offset < count:
                part = {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 2 * size, "currentLeaderEpoch": -1}
                answer = slow.call(
                    "Fetch", 11, replicaId=-1, maxWaitMs=500, minBytes=1, maxBytes=1 << 20, sessionId=identity,
                    sessionEpoch=epoch, topics=[{"topic": "t", "partitions": [part]}],
                )  # fmt: skip
                equal(answer["errorCode"], 0, "the fetch")
                if session and (answer["sessionId"] or identity):
                    identity, epoch = answer["sessionId"] or identity, epoch + 1
                if answer["throttleTimeMs"]:
                    equal(answer["responses"], [], "records of a throttled fetch")
                    empty += 1
                    continue
                data = answer["responses"][0]["partitions"][0]["records"] or b""
                offset += len(data) // (size + 60)
            took = time.monotonic() - begin
            allowed = rate * (took + 2) + 2 * size
            check(count * size <= 1.3 * allowed, f"{count * size} bytes in {took:.1f} s, allowed {allowed:.0f}")
            check(empty > 0, "no answer had a throttle time")
            time.sleep(3)  # the window is empty again


@case(seconds=60, needs=())
def time_of_requests():
    """request_percentage: the loop's time; silence is one sample at most."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        limit(c, "request_percentage", 0.01, client_id="slow")
        slow = wire.Connection(broker.bootstrap, "slow")
        found, n = [], 0
        while len(found) < 3:
            silence = slow.call("Metadata", 12, topics=None)["throttleTimeMs"]
            n += 1
            found += [silence] if silence else []
            check(n < 20000, "20,000 requests took no time")
        check(all(0 < ms <= 1000 for ms in found), f"throttle times {found}")
        n, silenced, _ = sends(broker.bootstrap, "free", "t", 100, 1)
        check(n > 20 and silenced == 0, f"the free client: {n} requests, {silenced} silenced")
        limit(c, "request_percentage", None, client_id="slow")
        wait_for(lambda: slow.call("Metadata", 12, topics=[])["throttleTimeMs"] == 0, "the limit is gone")


@case(seconds=60, needs=())
def pipelined():
    """Many requests at once: each is answered, in order; those behind the limit later."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        rate, size, count = 50_000, 10_000, 20
        limit(c, "producer_byte_rate", rate, client_id="slow")
        slow, begin = wire.Connection(broker.bootstrap, "slow", seconds=30), time.monotonic()
        for _ in range(count):
            slow.send("Produce", 9, **produce_fields("t", size))
        offsets = []
        for _ in range(count):
            answer = slow.receive()
            offsets.append(answer["responses"][0]["partitionResponses"][0]["baseOffset"])
            took = time.monotonic() - begin
            allowed = rate * (took + 2) + size
            check(len(offsets) * size <= 1.3 * allowed, f"{len(offsets)} answers in {took:.1f} s")
        equal(offsets, list(range(count)), "offsets")
        slow.socket.close()  # a silenced connection may go
        equal(len(c.call("Metadata", 1, topics=[])["brokers"]), 1, "the broker lives")


def connects(bootstrap, seconds, tries=10000):
    """How many connections were made that answer, and how many were refused, in that time."""
    begin, made, refused = time.monotonic(), 0, 0
    for _ in range(tries):
        if time.monotonic() - begin >= seconds:
            break
        try:
            with wire.Connection(bootstrap, seconds=10) as c:
                c.call("ApiVersions", 3, clientSoftwareName="t", clientSoftwareVersion="1")
                made += 1
        except (wire.Closed, ConnectionError):
            refused += 1
    return made, refused, time.monotonic() - begin


@case(seconds=60, needs=())
def connections():
    """By address: who comes too fast is refused; by the node: waits."""
    with Broker("ottla", extra=WINDOW).start() as broker, wire.Connection(broker.bootstrap) as c:
        limit(c, "connection_creation_rate", 5.0, ip="127.0.0.1")
        made, refused, took = connects(broker.bootstrap, 4)
        check(refused > 0, "nobody was refused")
        check(made <= 1.3 * 5 * (took + 2) + 1, f"{made} connections in {took:.1f} s")
        limit(c, "connection_creation_rate", None, ip="127.0.0.1")
        made, refused, took = connects(broker.bootstrap, 10, tries=100)
        equal((made, refused), (100, 0), "connections without a limit")
        configs = [{"name": "max.connection.creation.rate", "configOperation": 0, "value": "5"}]
        resource = {"resourceType": 4, "resourceName": "", "configs": configs}
        equal(c.call("IncrementalAlterConfigs", 1, resources=[resource])["responses"][0]["errorCode"], 0, "change")
        time.sleep(3.1)  # what was made without a limit is forgotten
        made, refused, took = connects(broker.bootstrap, 4)
        equal(refused, 0, "refused, where all should wait")
        check(made <= 1.3 * 5 * (took + 2) + 2, f"{made} connections in {took:.1f} s")
        check(made >= 4, f"only {made} connections in {took:.1f} s")


@case(seconds=60, needs=())
def kept():
    """Limits are there after a restart."""
    broker = Broker("ottla", extra=WINDOW).start()
    with wire.Connection(broker.bootstrap) as c:
        create(c, "t")
        limit(c, "producer_byte_rate", 1000.0, client_id="slow")
    broker.stop()
    with broker.start(), wire.Connection(broker.bootstrap, "slow") as c:
        check(c.call("Produce", 9, **produce_fields("t", 50000))["throttleTimeMs"] > 0, "no throttle time")


if __name__ == "__main__":
    main()
