"""What requests may take of the node's memory: one alone, and all of them together. Hostile clients multiply it, hold
it or leave it lying; the others are served meanwhile, and in the end it is all there again."""

import concurrent.futures
import os
import struct
import time

from lib import wire
from lib.broker import Broker
from lib.case import case, check, equal, main, wait_for
from lib.records import batch

MB = 1 << 20
SLOWER = int(os.environ.get("SLOWER", "1"))  # than a release build
METADATA, CREATE_TOPICS, PRODUCE = 3, 19, 0


def memory_of(broker, field="VmRSS"):
    """In bytes; VmHWM is the most that there ever was."""
    with open(f"/proc/{broker.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith(field))


def header(key, version):
    return struct.pack(">hhi", key, version, 1) + struct.pack(">h", -1)


def frame(body):
    return struct.pack(">i", len(body)) + body


def many_names(size):
    """Metadata v1 for very many topics without a name: two bytes each."""
    return frame(header(METADATA, 1) + struct.pack(">i", size // 2) + bytes(size // 2 * 2))


def many_topics(size):
    """CreateTopics v0, which waits for another thread: 14 bytes a topic."""
    n = size // 14
    return frame(header(CREATE_TOPICS, 0) + struct.pack(">i", n) + bytes(14 * n) + struct.pack(">i", 1000))


def produce_fields(topic, size):
    records = batch([b"x" * size], now=1_700_000_000_000)
    return {
        "acks": 1,
        "timeoutMs": 5000,
        "topicData": [{"name": topic, "partitionData": [{"index": 0, "records": records}]}],
    }


def create(broker, name, **configs):
    with wire.Connection(broker.bootstrap) as c:
        given = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        topics = [{"name": name, "numPartitions": 1, "replicationFactor": 1, "configs": given}]
        for topic in c.call("CreateTopics", 7, topics=topics, timeoutMs=10000)["topics"]:
            equal(topic["errorCode"], 0, f"creation of {topic['name']}")


def send_quietly(connection, data):
    try:
        connection.send_raw(data)
    except (OSError, wire.Closed):
        pass  # it was closed, which is what such a client must expect


def ends(connection):
    """The connection is answered or closed."""
    try:
        connection.receive_raw()
        return "answered"
    except (wire.Closed, OSError):
        return "closed"


def is_closed(connection):
    connection.socket.settimeout(0)
    try:
        return connection.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@case(seconds=90, needs=())
def one_request_is_bounded():
    """A hundred megabytes of tiny elements take a few times their size and not sixteen times."""
    with Broker("ottla").start() as broker:
        for make in (many_names, many_topics):
            with wire.Connection(broker.bootstrap, seconds=60) as c:
                send_quietly(c, make(99 * MB))
                equal(ends(c), "closed", "a request that needs too much")
        with wire.Connection(broker.bootstrap) as c:
            check(c.call("Metadata", 1, topics=[])["brokers"], "the broker goes on")
        most = memory_of(broker, "VmHWM")
        check(most < 700 * MB, f"{most / MB:.0f} MiB at the most")


@case(seconds=120, needs=())
def all_requests_are_bounded():
    """Forty clients with large hostile requests at a time: their memory is bounded, others do not notice."""
    extra = {"queued.max.request.bytes": str(64 * MB), "socket.request.max.bytes": str(16 * MB)}
    with Broker("ottla", extra=extra).start() as broker, wire.Connection(broker.bootstrap) as innocent:
        create(broker, "t")
        data = many_topics(3 * MB)
        hostile = [wire.Connection(broker.bootstrap, seconds=60) for _ in range(40)]
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            sent = [pool.submit(send_quietly, c, data) for c in hostile]
            slowest = 0
            while not all(s.done() for s in sent):
                start = time.monotonic()
                check(innocent.call("Metadata", 1, topics=[])["brokers"], "metadata")
                slowest = max(slowest, time.monotonic() - start)
            equal({ends(c) for c in hostile} <= {"answered", "closed"}, True, "all come to an end")
        check(slowest < 10, f"an innocent waited for {slowest:.1f} s")
        most = memory_of(broker, "VmHWM")
        check(most < 700 * MB, f"{most / MB:.0f} MiB at the most")
        equal(
            innocent.call("Produce", 9, **produce_fields("t", 900000))["responses"][0]["name"],
            "t",
            "a large request afterwards",
        )


@case(seconds=90, needs=())
def parts_that_never_end():
    """Clients that send a part of a large request and stop hold twice what there is. All others take turns, and
    after a while those who stopped are closed and all is as before."""
    extra = {"queued.max.request.bytes": str(4 * MB), "socket.request.max.bytes": str(4 * MB)}
    with Broker("ottla", extra=extra).start() as broker:
        create(broker, "t", max_message_bytes=str(4 * MB))
        stopped = [wire.Connection(broker.bootstrap, seconds=60) for _ in range(10)]
        for c in stopped:
            c.send_raw(struct.pack(">i", 3 * MB) + bytes(MB))
        time.sleep(0.3)

        def innocent(size, count):
            with wire.Connection(broker.bootstrap, seconds=60) as own:
                longest = 0
                for _ in range(count):
                    start = time.monotonic()
                    own.call("Produce", 9, **produce_fields("t", size))
                    longest = max(longest, time.monotonic() - start)
                return longest

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            small = [pool.submit(innocent, 1000, 50) for _ in range(4)]
            large = [pool.submit(innocent, 2 * MB, 3) for _ in range(4)]
            slow = [max(f.result() for f in group) for group in (small, large)]
        check(slow[0] < 5 * SLOWER, f"a small request waited for {slow[0]:.1f} s")
        check(slow[1] < 15 * SLOWER, f"a large request waited for {slow[1]:.1f} s")
        wait_for(lambda: sum(is_closed(c) for c in stopped) >= 6, "those who stopped are closed", 20)
        start = time.monotonic()
        innocent(1 * MB, 5)
        check(time.monotonic() - start < 2 * SLOWER, "all is as before")


@case(seconds=90, needs=())
def answers_that_nobody_reads():
    """Clients that ask for large answers and do not read them: their number does not matter."""
    extra = {"queued.max.request.bytes": str(8 * MB), "socket.request.max.bytes": str(4 * MB)}
    with Broker("ottla", extra=extra).start() as broker, wire.Connection(broker.bootstrap) as innocent:
        names = [{"name": f"no-such-topic-{'x' * 200}-{i}"} for i in range(10000)]
        greedy = []
        for _ in range(60):
            c = wire.Connection(broker.bootstrap, seconds=60)
            c.send("Metadata", 4, topics=names, allowAutoTopicCreation=False)
            greedy.append(c)
        for _ in range(20):
            check(innocent.call("Metadata", 1, topics=[])["brokers"], "metadata")
            time.sleep(0.05)
        most = memory_of(broker, "VmHWM")
        check(most < 150 * MB, f"{most / MB:.0f} MiB at the most")
        for c in greedy:
            c.close()
        with wire.Connection(broker.bootstrap, seconds=30) as c:
            answer = c.call("Metadata", 4, topics=names, allowAutoTopicCreation=False)
            equal(len(answer["topics"]), len(names), "topics of a large answer afterwards")


if __name__ == "__main__":
    main()
